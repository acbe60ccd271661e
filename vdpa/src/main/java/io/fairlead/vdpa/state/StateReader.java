package io.fairlead.vdpa.state;

import io.fairlead.virtio.parts.Octets;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads little-endian fields of one part of a state, and says where it stands when something is wrong. */
final class StateReader {
    /** The longest text: a path on a host may be as long. */
    static final int MAX_TEXT_BYTES = 4096;

    private final String where;
    private final ByteBuffer bytes;
    private final int base;

    /**
     * @param where for messages
     * @param base of the first byte, from the start of the state
     */
    StateReader(String where, ByteBuffer bytes, int base) {
        this.where = where;
        this.bytes = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
        this.base = base;
    }

    StateFormatException wrong(String what) {
        return wrong(offset(), what);
    }

    StateFormatException wrong(int offset, String what) {
        return new StateFormatException(where, offset, what);
    }

    /** Of the next byte, from the start of the state. */
    int offset() {
        return base + bytes.position();
    }

    int remaining() {
        return bytes.remaining();
    }

    private ByteBuffer take(int byteCount) throws StateFormatException {
        if (byteCount > bytes.remaining()) {
            throw wrong("%d bytes are needed and %d are there".formatted(byteCount, bytes.remaining()));
        }
        return bytes;
    }

    int u8() throws StateFormatException {
        return Byte.toUnsignedInt(take(1).get());
    }

    int u16() throws StateFormatException {
        return Short.toUnsignedInt(take(2).getShort());
    }

    /** All 32 bits as they are. */
    int u32() throws StateFormatException {
        return take(4).getInt();
    }

    long u64() throws StateFormatException {
        return take(8).getLong();
    }

    /** A flag in eight bits. */
    boolean flag() throws StateFormatException {
        int offset = offset();
        int value = u8();
        if (value > 1) {
            throw wrong(offset, "%d is neither 0 nor 1".formatted(value));
        }
        return value == 1;
    }

    void zero(int byteCount) throws StateFormatException {
        for (int i = 0; i < byteCount; i++) {
            if (u8() != 0) {
                throw wrong(offset() - 1, "a reserved byte is not 0");
            }
        }
    }

    /**
     * A count of elements in 32 bits, no more than there can be in what is left.
     *
     * @param elementBytes the least that an element takes
     */
    int count(int max, int elementBytes, String what) throws StateFormatException {
        int offset = offset();
        long count = Integer.toUnsignedLong(u32());
        if (count > max) {
            throw wrong(offset, "%d %s are more than %d".formatted(count, what, max));
        }
        if (count * elementBytes > bytes.remaining()) {
            throw wrong(offset, "%d %s do not fit the %d bytes left".formatted(count, what, bytes.remaining()));
        }
        return (int) count;
    }

    Octets octets(int byteCount) throws StateFormatException {
        ByteBuffer source = take(byteCount);
        byte[] value = new byte[byteCount];
        source.get(value);
        return Octets.of(value);
    }

    /** UTF-8 behind its length in 16 bits. */
    String text() throws StateFormatException {
        int offset = offset();
        int byteCount = u16();
        if (byteCount > MAX_TEXT_BYTES) {
            throw wrong(offset, "a text of %d bytes is longer than %d".formatted(byteCount, MAX_TEXT_BYTES));
        }
        ByteBuffer encoded = take(byteCount).slice(bytes.position(), byteCount);
        bytes.position(bytes.position() + byteCount);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(encoded).toString();
        } catch (CharacterCodingException e) {
            throw wrong(offset, "a text is not UTF-8");
        }
    }

    void end() throws StateFormatException {
        if (bytes.hasRemaining()) {
            throw wrong("%d bytes are left over".formatted(bytes.remaining()));
        }
    }
}
