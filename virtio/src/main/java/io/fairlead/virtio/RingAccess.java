package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Little-endian loads and stores of memory that another processor or process writes too. Offsets are aligned to the width,
 * except where said, so that none is torn.
 *
 * <p>An unmarked load is plain: the Java memory model reads once what the program reads once into a local, so that a value
 * is checked and used as the same value; what orders it against other loads is an acquire or a fence before it. An
 * unmarked store is opaque; nothing delays it for ever.
 */
final class RingAccess {
    private static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle();
    private static final VarHandle SHORT =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final ValueLayout.OfLong LONG_UNALIGNED =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private RingAccess() {}

    static int loadByte(MemorySegment segment, long offset) {
        return (byte) BYTE.get(segment, offset) & 0xff;
    }

    static int loadShort(MemorySegment segment, long offset) {
        return (short) SHORT.get(segment, offset) & 0xffff;
    }

    static int loadShortAcquire(MemorySegment segment, long offset) {
        return (short) SHORT.getAcquire(segment, offset) & 0xffff;
    }

    static int loadInt(MemorySegment segment, long offset) {
        return (int) INT.get(segment, offset);
    }

    static long loadLong(MemorySegment segment, long offset) {
        return (long) LONG.get(segment, offset);
    }

    static long loadLongAcquire(MemorySegment segment, long offset) {
        return (long) LONG.getAcquire(segment, offset);
    }

    /** A plain load at any offset. */
    static long loadLongUnaligned(MemorySegment segment, long offset) {
        return segment.get(LONG_UNALIGNED, offset);
    }

    static void storeShort(MemorySegment segment, long offset, int value) {
        SHORT.setOpaque(segment, offset, (short) value);
    }

    static void storeInt(MemorySegment segment, long offset, int value) {
        INT.setOpaque(segment, offset, value);
    }

    /** A plain store at any offset. */
    static void storeLongUnaligned(MemorySegment segment, long offset, long value) {
        segment.set(LONG_UNALIGNED, offset, value);
    }

    static void storeByteRelease(MemorySegment segment, long offset, int value) {
        BYTE.setRelease(segment, offset, (byte) value);
    }

    static void storeShortRelease(MemorySegment segment, long offset, int value) {
        SHORT.setRelease(segment, offset, (short) value);
    }

    static void storeIntRelease(MemorySegment segment, long offset, int value) {
        INT.setRelease(segment, offset, value);
    }

    static void storeLongRelease(MemorySegment segment, long offset, long value) {
        LONG.setRelease(segment, offset, value);
    }
}
