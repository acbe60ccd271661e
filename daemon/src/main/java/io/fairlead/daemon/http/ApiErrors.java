package io.fairlead.daemon.http;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Errors as the API gives them. */
final class ApiErrors {
    private ApiErrors() {}

    /** What a handler threw, as an answer; see {@link Handler}. */
    static ApiException of(Throwable thrown) {
        return switch (thrown) {
            case ApiException api -> api;
            case NoSuchElementException e -> ApiException.notFound(message(e));
            case NoSuchFileException e -> ApiException.notFound(message(e) + ": there is no such file");
            case IllegalArgumentException e -> ApiException.badRequest(message(e));
            case IllegalStateException e -> ApiException.conflict(message(e), null);
            case IOException e -> new ApiException(500, "failed", message(e), null);
            default -> new ApiException(500, "internal", "an internal error, which the daemon's log explains", null);
        };
    }

    /** Whether it is a fault of ours, which wants a stack trace in the log. */
    static boolean isOurs(Throwable thrown) {
        return of(thrown).code().equals("internal");
    }

    /** The body of an error. */
    static ObjectNode body(String code, @Nullable String message, @Nullable String remedy) {
        ObjectNode body = JsonMapper.shared().createObjectNode();
        ObjectNode error = body.putObject("error");
        error.put("code", code).put("message", message == null ? code : message);
        if (remedy != null) {
            error.put("remedy", remedy);
        }
        return body;
    }

    /** The code of an error that the server itself found. */
    static String code(int status) {
        return switch (status) {
            case 404 -> "not-found";
            case 405 -> "method-not-allowed";
            case 408 -> "timeout";
            case 413 -> "too-large";
            case 414, 431 -> "header-too-large";
            case 415 -> "unsupported-type";
            case 503 -> "unavailable";
            default -> status < 500 ? "bad-request" : "internal";
        };
    }

    private static String message(Exception e) {
        String message = e.getMessage();
        return message == null ? e.getClass().getSimpleName() : message;
    }
}
