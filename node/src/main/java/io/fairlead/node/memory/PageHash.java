package io.fairlead.node.memory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * XXH64 with seed 0: two pages that differ by accident have the same hash once in 2^64 times. No defence against somebody
 * who looks for such pages, who could only deceive himself.
 */
final class PageHash {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long P1 = 0x9E3779B185EBCA87L;
    private static final long P2 = 0xC2B2AE3D27D4EB4FL;
    private static final long P1_PLUS_P2 = 0x60EA27EEADC0B5D6L;
    private static final long P3 = 0x165667B19E3779F9L;
    private static final long P4 = 0x85EBCA77C2B2AE63L;
    private static final long P5 = 0x27D4EB2F165667C5L;
    private static final int STRIPE_BYTES = 32;

    private PageHash() {}

    static long of(MemorySegment bytes) {
        long end = bytes.byteSize();
        long at = 0;
        long hash = P5;
        if (end >= STRIPE_BYTES) {
            long a = P1_PLUS_P2;
            long b = P2;
            long c = 0;
            long d = -P1;
            for (; at <= end - STRIPE_BYTES; at += STRIPE_BYTES) {
                a = round(a, bytes.get(LONG, at));
                b = round(b, bytes.get(LONG, at + 8));
                c = round(c, bytes.get(LONG, at + 16));
                d = round(d, bytes.get(LONG, at + 24));
            }
            hash = Long.rotateLeft(a, 1) + Long.rotateLeft(b, 7) + Long.rotateLeft(c, 12) + Long.rotateLeft(d, 18);
            hash = merged(merged(merged(merged(hash, a), b), c), d);
        }
        return finished(hash + end, bytes, at);
    }

    private static long round(long lane, long input) {
        return Long.rotateLeft(lane + input * P2, 31) * P1;
    }

    private static long merged(long hash, long lane) {
        return (hash ^ round(0, lane)) * P1 + P4;
    }

    /** Takes in what is left after the stripes, and spreads every bit over the whole. */
    private static long finished(long soFar, MemorySegment bytes, long from) {
        long end = bytes.byteSize();
        long at = from;
        long hash = soFar;
        for (; at <= end - Long.BYTES; at += Long.BYTES) {
            hash = Long.rotateLeft(hash ^ round(0, bytes.get(LONG, at)), 27) * P1 + P4;
        }
        if (at <= end - Integer.BYTES) {
            hash = Long.rotateLeft(hash ^ Integer.toUnsignedLong(bytes.get(INT, at)) * P1, 23) * P2 + P3;
            at += Integer.BYTES;
        }
        for (; at < end; at++) {
            hash = Long.rotateLeft(hash ^ Byte.toUnsignedLong(bytes.get(ValueLayout.JAVA_BYTE, at)) * P5, 11) * P1;
        }
        hash = (hash ^ hash >>> 33) * P2;
        hash = (hash ^ hash >>> 29) * P3;
        return hash ^ hash >>> 32;
    }
}
