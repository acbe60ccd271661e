package io.fairlead.vdpa;

import java.io.IOException;

/** A device cannot take what another one kept; says why. Nothing of it was taken. */
public final class StateMismatchException extends IOException {
    private static final long serialVersionUID = 1L;

    public StateMismatchException(String message) {
        super(message);
    }
}
