package io.fairlead.virtio.parts;

import java.util.Arrays;
import java.util.HexFormat;

/** A run of bytes that never changes, equal to any other with the same bytes. */
public final class Octets {
    public static final Octets EMPTY = new Octets(new byte[0]);

    private static final int SHOWN_BYTES = 32;

    private final byte[] bytes;

    private Octets(byte[] bytes) {
        this.bytes = bytes;
    }

    /** A copy of the bytes. */
    public static Octets of(byte... bytes) {
        return new Octets(bytes.clone());
    }

    public int size() {
        return bytes.length;
    }

    /** @throws IndexOutOfBoundsException where there is no such byte */
    public byte get(int index) {
        return bytes[index];
    }

    /** A copy. */
    public byte[] toArray() {
        return bytes.clone();
    }

    /** All bytes in hexadecimal, without spaces. */
    public String toHex() {
        return HexFormat.of().formatHex(bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Octets octets && Arrays.equals(bytes, octets.bytes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bytes);
    }

    /** The first bytes in hexadecimal. */
    @Override
    public String toString() {
        return HexFormat.of().formatHex(bytes, 0, Math.min(bytes.length, SHOWN_BYTES))
                + (bytes.length > SHOWN_BYTES ? "... (%d bytes)".formatted(bytes.length) : "");
    }
}
