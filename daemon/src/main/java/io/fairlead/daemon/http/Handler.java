package io.fairlead.daemon.http;

/**
 * Answers the requests of a route, on a virtual thread of the request's own: it may wait.
 *
 * <p>What it throws becomes the answer: an {@link ApiException} as it says, {@link IllegalArgumentException} 400,
 * {@link java.util.NoSuchElementException} and {@link java.nio.file.NoSuchFileException} 404,
 * {@link IllegalStateException} 409, {@link java.io.IOException} 500 with its message, and anything else 500 without
 * one, logged with its stack trace.
 */
@FunctionalInterface
public interface Handler {
    /** Answers a request. */
    Response handle(Request request) throws Exception;
}
