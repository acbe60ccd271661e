package io.fairlead.vdpa.state;

import io.fairlead.virtio.parts.Octets;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Little-endian bytes that grow up to the largest state. */
final class StateWriter {
    private ByteBuffer bytes = ByteBuffer.allocate(512).order(ByteOrder.LITTLE_ENDIAN);

    private ByteBuffer room(int byteCount) throws StateFormatException {
        if (bytes.remaining() < byteCount) {
            long needed = (long) bytes.position() + byteCount;
            if (needed > DeviceState.MAX_BYTES) {
                throw new StateFormatException("state", -1, "more than %d bytes".formatted(DeviceState.MAX_BYTES));
            }
            int capacity = (int) Math.min(DeviceState.MAX_BYTES, Math.max(needed, 2L * bytes.capacity()));
            bytes = ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN).put(bytes.flip());
        }
        return bytes;
    }

    /** An 8-bit value, which the caller has checked; so have those of the others. */
    void u8(int value) throws StateFormatException {
        room(1).put((byte) value);
    }

    void u16(int value) throws StateFormatException {
        room(2).putShort((short) value);
    }

    void u32(int value) throws StateFormatException {
        room(4).putInt(value);
    }

    void u64(long value) throws StateFormatException {
        room(8).putLong(value);
    }

    void octets(Octets value) throws StateFormatException {
        raw(value.toArray());
    }

    void raw(byte[] value) throws StateFormatException {
        room(value.length).put(value);
    }

    /** UTF-8 behind its length in 16 bits. */
    void text(String value) throws StateFormatException {
        ByteBuffer encoded;
        try {
            encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(value));
        } catch (CharacterCodingException e) {
            throw new StateFormatException("state", -1, "a text has half of a surrogate pair and no UTF-8");
        }
        int byteCount = encoded.remaining();
        if (byteCount > StateReader.MAX_TEXT_BYTES) {
            throw new StateFormatException(
                    "state",
                    -1,
                    "a text of %d bytes is longer than %d".formatted(byteCount, StateReader.MAX_TEXT_BYTES));
        }
        u16(byteCount);
        room(byteCount).put(encoded);
    }

    /** Sets 32 bits that were written before. */
    void patch32(int offset, int value) {
        bytes.putInt(offset, value);
    }

    void patch64(int offset, long value) {
        bytes.putLong(offset, value);
    }

    int position() {
        return bytes.position();
    }

    /** The bytes so far, which later writes do not change as long as only this view is read. */
    ByteBuffer view(int from) {
        return bytes.duplicate()
                .order(ByteOrder.LITTLE_ENDIAN)
                .flip()
                .position(from)
                .slice();
    }

    byte[] toArray() {
        return Arrays.copyOf(bytes.array(), bytes.position());
    }
}
