package io.fairlead.node.channel;

import java.io.IOException;

/** The other node answered that it does not do it, and why. The channel goes on. */
public final class RefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    public RefusedException(String message) {
        super(message);
    }
}
