package io.fairlead.vhostuser.client;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The connection to a daemon is of no more use: it went, was silent for too long, or broke the protocol. */
final class BackendLostException extends IOException {
    private static final long serialVersionUID = 1L;

    BackendLostException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
