package io.fairlead.devices.console;

import java.nio.ByteBuffer;

/** Bytes between a queue and the host, of which the newest are kept. Thread-safe. */
final class ByteRing {
    private final byte[] bytes;
    private int start;
    private int count;
    private long lost;

    /** How many bytes have left in all: where the oldest one stands in the stream. */
    private long gone;

    ByteRing(int capacity) {
        bytes = new byte[capacity];
    }

    /** Puts bytes behind the others; where there is no room, the oldest are lost. */
    synchronized void put(byte[] source, int offset, int byteCount) {
        int skipped = Math.max(0, byteCount - bytes.length);
        lost += skipped;
        if (skipped > 0) {
            // All that is here would be lost, too; what is skipped counts as having been here.
            lost += count;
            gone += count + skipped;
            count = 0;
        }
        for (int i = offset + skipped; i < offset + byteCount; i++) {
            if (count == bytes.length) {
                start = (start + 1) % bytes.length;
                count--;
                lost++;
                gone++;
            }
            bytes[(start + count) % bytes.length] = source[i];
            count++;
        }
    }

    /**
     * Copies the oldest bytes, which stay until {@link #dropTo}; the buffer's position moves behind them.
     *
     * @return where the first of them stands in the stream
     */
    synchronized long peek(ByteBuffer target) {
        int copied = Math.min(count, target.remaining());
        int first = Math.min(copied, bytes.length - start);
        target.put(bytes, start, first);
        target.put(bytes, 0, copied - first);
        return gone;
    }

    /** Takes away what stands before a position in the stream, as far as it is still there. */
    synchronized void dropTo(long position) {
        int dropped = Math.clamp(position - gone, 0, count);
        start = (start + dropped) % bytes.length;
        count -= dropped;
        gone += dropped;
    }

    synchronized int count() {
        return count;
    }

    synchronized int room() {
        return bytes.length - count;
    }

    /** How many bytes were lost for want of room. */
    synchronized long lost() {
        return lost;
    }
}
