package io.fairlead.virtio.parts;

import java.io.IOException;

/** A stream of device parts that is broken, or has a mandatory part that nobody here knows. */
public final class DevicePartsException extends IOException {
    private static final long serialVersionUID = 1L;

    private final long offset;

    /** @param offset bytes from the start of the stream to what is wrong */
    public DevicePartsException(long offset, String message) {
        super("at byte %d: %s".formatted(offset, message));
        this.offset = offset;
    }

    /** Bytes from the start of the stream to what is wrong. */
    public long offset() {
        return offset;
    }
}
