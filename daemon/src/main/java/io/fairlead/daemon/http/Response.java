package io.fairlead.daemon.http;

import java.nio.charset.StandardCharsets;
import tools.jackson.databind.JsonNode;

/** An answer. Immutable; the bytes and nodes in it are not to be changed. */
public sealed interface Response {
    /** JSON, in UTF-8. */
    record Json(int status, JsonNode body) implements Response {}

    /** Bytes of any content type; none at all where there is no type. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Bytes(int status, String contentType, byte[] body) implements Response {}

    /** Server-sent events, until the stream is over, the reader goes, or the server stops. */
    record Events(EventStream stream) implements Response {}

    /** JSON. */
    static Response json(int status, JsonNode body) {
        return new Json(status, body);
    }

    /** 200 and JSON. */
    static Response ok(JsonNode body) {
        return new Json(200, body);
    }

    /** 204. */
    static Response noContent() {
        return new Bytes(204, "", new byte[0]);
    }

    /** 200 and bytes of a content type. */
    static Response bytes(String contentType, byte[] body) {
        return new Bytes(200, contentType, body);
    }

    /** 200 and text, in UTF-8, of a content type as {@code application/xml}. */
    static Response text(String contentType, String body) {
        return new Bytes(200, contentType + "; charset=utf-8", body.getBytes(StandardCharsets.UTF_8));
    }

    /** 200 and events. */
    static Response events(EventStream stream) {
        return new Events(stream);
    }
}
