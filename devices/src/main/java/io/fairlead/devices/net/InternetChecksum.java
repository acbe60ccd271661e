package io.fairlead.devices.net;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The Internet checksum (RFC 1071). Sums are of little-endian words and may be added to each other; {@link #fold} gives
 * 16 bits to be stored little-endian, which is the same as big-endian arithmetic throughout (RFC 1071, 2B).
 */
final class InternetChecksum {
    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private InternetChecksum() {}

    /**
     * The sum of some bytes.
     *
     * @param byteCount below 4 GiB; an odd last byte counts as if a zero followed
     */
    static long sum(MemorySegment memory, long offset, long byteCount) {
        long sum = 0;
        long at = offset;
        long end = offset + byteCount;
        for (; at + Integer.BYTES <= end; at += Integer.BYTES) {
            sum += memory.get(WORD, at) & 0xffff_ffffL;
        }
        if (at + Short.BYTES <= end) {
            sum += memory.get(HALF, at) & 0xffff;
            at += Short.BYTES;
        }
        if (at < end) {
            sum += memory.get(ValueLayout.JAVA_BYTE, at) & 0xff;
        }
        return sum;
    }

    /** What a 16-bit number in network order adds to a sum. */
    static long ofShort(int value) {
        return Short.reverseBytes((short) value) & 0xffff;
    }

    /** A sum in 16 bits. */
    static int fold(long sum) {
        long folded = (sum & 0xffff_ffffL) + (sum >>> 32);
        folded = (folded & 0xffff) + (folded >>> 16);
        folded = (folded & 0xffff) + (folded >>> 16);
        folded = (folded & 0xffff) + (folded >>> 16);
        return (int) folded;
    }

    static void store(MemorySegment memory, long offset, int folded) {
        memory.set(HALF, offset, (short) folded);
    }

    /** The complement of a sum as it stands in a packet; UDP has ones for zero, as zero says that there is none. */
    static void storeComplement(MemorySegment memory, long offset, long sum, boolean udp) {
        int checksum = ~fold(sum) & 0xffff;
        store(memory, offset, checksum == 0 && udp ? 0xffff : checksum);
    }
}
