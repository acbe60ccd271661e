package io.fairlead.vdpa.state;

import java.io.IOException;

/** A device state that is broken, contradicts itself, or was written for a newer version. */
public final class StateFormatException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String where;
    private final long offset;

    /**
     * @param where the part of the state, such as {@code header} or {@code INFLIGHT section}
     * @param offset bytes from the start of the state; -1 where it is not about a byte
     * @param what what is wrong
     */
    public StateFormatException(String where, long offset, String what) {
        super(offset < 0 ? "%s: %s".formatted(where, what) : "%s, byte %d: %s".formatted(where, offset, what));
        this.where = where;
        this.offset = offset;
    }

    /** The part of the state that is wrong. */
    public String where() {
        return where;
    }

    /** Bytes from the start of the state to what is wrong; -1 where it is not about a byte. */
    public long offset() {
        return offset;
    }
}
