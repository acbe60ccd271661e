package io.fairlead.devices.storage;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which pages of a file were in the page cache a short while ago: seen there in this period or the one before. The kernel
 * takes pages back that were not used for long, so what this knows is old after two periods and forgotten.
 *
 * <p>Two bitmaps in chunks that are made where pages are seen; memory goes with what is read and not with the file's
 * size. Threads race without locks: a lost bit costs a slower read, one too many is a page that was just dropped.
 */
final class RecentPages {
    static final int PAGE_SHIFT = 12;

    /** Pages of one chunk: 128 MiB of the file, 4 KiB of bits. */
    private static final int CHUNK_SHIFT = 15;

    private static final int CHUNK_WORDS = 1 << (CHUNK_SHIFT - 6);

    private final long periodNanos;
    private final long byteCount;
    private volatile long[] @Nullable [] current;
    private volatile long[] @Nullable [] previous;
    private volatile long periodStartNanos;

    /** @param byteCount size of the file; pages beyond it are never recent */
    RecentPages(long byteCount, long periodNanos, long nowNanos) {
        this.byteCount = byteCount;
        this.periodNanos = periodNanos;
        int chunks = Math.toIntExact((byteCount >> (PAGE_SHIFT + CHUNK_SHIFT)) + 1);
        current = new long[chunks][];
        previous = new long[chunks][];
        periodStartNanos = nowNanos;
    }

    /** Forgets what is too old by now. */
    void passTime(long nowNanos) {
        if (nowNanos - periodStartNanos > periodNanos) {
            turn(nowNanos);
        }
    }

    private synchronized void turn(long nowNanos) {
        long age = nowNanos - periodStartNanos;
        if (age <= periodNanos) {
            return;
        }
        periodStartNanos = nowNanos;
        long[] @Nullable [] next = previous;
        clear(next);
        previous = current;
        current = next;
        if (age > 2 * periodNanos) {
            clear(previous);
        }
    }

    private static void clear(long[] @Nullable [] bitmap) {
        for (long[] chunk : bitmap) {
            if (chunk != null) {
                Arrays.fill(chunk, 0);
            }
        }
    }

    /** Whether all pages of a range are recent; they are from now on, as the caller is about to use them. */
    boolean use(long offset, long count) {
        if (offset + count > byteCount) {
            return false;
        }
        long[] @Nullable [] now = current;
        long[] @Nullable [] before = previous;
        long last = (offset + count - 1) >> PAGE_SHIFT;
        for (long page = offset >> PAGE_SHIFT; page <= last; page++) {
            if (!isSet(now, page)) {
                if (!isSet(before, page)) {
                    return false;
                }
                set(now, page);
            }
        }
        return true;
    }

    /** The pages of a range are in the page cache now. */
    void seen(long offset, long count) {
        long last = (Math.min(offset + count, byteCount) - 1) >> PAGE_SHIFT;
        long[] @Nullable [] now = current;
        for (long page = offset >> PAGE_SHIFT; page <= last; page++) {
            set(now, page);
        }
    }

    /** The pages of a range may be gone. */
    synchronized void forget(long offset, long count) {
        long last = (Math.min(offset + count, byteCount) - 1) >> PAGE_SHIFT;
        for (long page = offset >> PAGE_SHIFT; page <= last; page++) {
            unset(current, page);
            unset(previous, page);
        }
    }

    private static boolean isSet(long[] @Nullable [] bitmap, long page) {
        long[] chunk = bitmap[(int) (page >> CHUNK_SHIFT)];
        return chunk != null && (chunk[word(page)] & bit(page)) != 0;
    }

    private static void set(long[] @Nullable [] bitmap, long page) {
        int index = (int) (page >> CHUNK_SHIFT);
        long[] chunk = bitmap[index];
        if (chunk == null) {
            chunk = new long[CHUNK_WORDS];
            bitmap[index] = chunk;
        }
        chunk[word(page)] |= bit(page);
    }

    private static void unset(long[] @Nullable [] bitmap, long page) {
        long[] chunk = bitmap[(int) (page >> CHUNK_SHIFT)];
        if (chunk != null) {
            chunk[word(page)] &= ~bit(page);
        }
    }

    private static int word(long page) {
        return (int) (page >> 6) & (CHUNK_WORDS - 1);
    }

    private static long bit(long page) {
        return 1L << page;
    }
}
