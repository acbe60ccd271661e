package io.fairlead.daemon.http;

/** The methods that the API speaks. */
public enum Method {
    GET,
    POST,
    PUT,
    PATCH,
    DELETE
}
