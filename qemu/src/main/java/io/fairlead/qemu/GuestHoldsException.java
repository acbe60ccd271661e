package io.fairlead.qemu;

import java.io.IOException;

/** A guest does not let go of a device; it still has it. */
public final class GuestHoldsException extends IOException {
    private static final long serialVersionUID = 1L;

    GuestHoldsException(String message) {
        super(message);
    }
}
