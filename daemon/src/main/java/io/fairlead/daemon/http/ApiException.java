package io.fairlead.daemon.http;

import org.jspecify.annotations.Nullable;

/** A request that is answered by an error: {@code {"error":{"code","message","remedy"?}}}. */
public final class ApiException extends Exception {
    private static final long serialVersionUID = 1;

    private final int status;
    private final String code;
    private final @Nullable String remedy;

    /**
     * Makes an error.
     *
     * @param status HTTP status, 400 to 599
     * @param code for programs: lower case with dashes, as {@code not-found}
     * @param message for people, which names the object
     * @param remedy what to do about it, where there is something
     */
    public ApiException(int status, String code, String message, @Nullable String remedy) {
        super(message);
        if (status < 400 || status > 599) {
            throw new IllegalArgumentException("status " + status + " is no error");
        }
        this.status = status;
        this.code = code;
        this.remedy = remedy;
    }

    /** 400: the request itself is wrong. */
    public static ApiException badRequest(String message) {
        return new ApiException(400, "bad-request", message, null);
    }

    /** 404: there is no such object. */
    public static ApiException notFound(String message) {
        return new ApiException(404, "not-found", message, null);
    }

    /** 409: the object's present state does not allow it. */
    public static ApiException conflict(String message, @Nullable String remedy) {
        return new ApiException(409, "conflict", message, remedy);
    }

    /** 503: not now; the same request may succeed later. */
    public static ApiException unavailable(String message, @Nullable String remedy) {
        return new ApiException(503, "unavailable", message, remedy);
    }

    /** The HTTP status. */
    public int status() {
        return status;
    }

    /** The error's code, for programs. */
    public String code() {
        return code;
    }

    /** What to do about it. */
    public @Nullable String remedy() {
        return remedy;
    }
}
