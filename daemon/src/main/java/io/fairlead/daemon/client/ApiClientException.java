package io.fairlead.daemon.client;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The daemon refused a request or failed at it; the message is the daemon's. */
public final class ApiClientException extends IOException {
    private static final long serialVersionUID = 1;

    private final int status;
    private final String code;
    private final @Nullable String remedy;

    /** Made of the daemon's answer. */
    public ApiClientException(int status, String code, String message, @Nullable String remedy) {
        super(message);
        this.status = status;
        this.code = code;
        this.remedy = remedy;
    }

    /** The HTTP status, 400 to 599. */
    public int status() {
        return status;
    }

    /** For programs, as {@code not-found}. */
    public String code() {
        return code;
    }

    /** What to do about it, where the daemon knows. */
    public @Nullable String remedy() {
        return remedy;
    }
}
