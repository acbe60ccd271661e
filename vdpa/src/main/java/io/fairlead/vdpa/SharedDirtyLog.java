package io.fairlead.vdpa;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Memfd;
import io.fairlead.virtio.DirtyLog;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.LongAdder;

/**
 * The log of written pages that devices and the one who moves the machine share, as vhost has it: one bit a page of 4
 * KiB, page n in bit n % 8 of byte n / 8. Whoever reads it clears what it read by an atomic exchange. The file may be
 * handed on to a device in another process.
 *
 * <p>{@link #mark} by any thread, at the same time; {@link #close} when no device has it any more.
 */
public final class SharedDirtyLog implements DirtyLog, AutoCloseable {
    /** The granule: bits of the address below the page's number. */
    public static final int PAGE_SHIFT = 12;

    /** What one bit stands for. */
    public static final long PAGE_BYTES = 1L << PAGE_SHIFT;

    private static final VarHandle WORD =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private final Fd fd;
    private final long fdOffset;
    private final Mapping mapping;
    private final MemorySegment words;
    private final long pageCount;
    private final LongAdder outside = new LongAdder();

    private SharedDirtyLog(Fd fd, long fdOffset, Mapping mapping) {
        this.fd = fd;
        this.fdOffset = fdOffset;
        this.mapping = mapping;
        words = mapping.segment();
        pageCount = words.byteSize() * Byte.SIZE;
    }

    /** A log of our own, for guest addresses below a bound. */
    public static SharedDirtyLog create(String name, long guestByteCount) throws IOException {
        long pages = (guestByteCount + PAGE_BYTES - 1) >>> PAGE_SHIFT;
        long byteCount = Math.max(Long.BYTES, (pages + Long.SIZE - 1) / Long.SIZE * Long.BYTES);
        return map(Memfd.create("fairlead-log-" + name, byteCount), 0, byteCount);
    }

    /**
     * Maps a log that somebody else reads.
     *
     * @param fd owned by the log from now on, closed also where this fails
     * @param fdOffset where the log starts in the file, a multiple of 8
     * @param byteCount of the log, a multiple of 8
     * @throws IOException where the range is not inside the file, uneven, or cannot be mapped
     */
    public static SharedDirtyLog map(Fd fd, long fdOffset, long byteCount) throws IOException {
        try {
            if (byteCount <= 0 || fdOffset < 0 || ((byteCount | fdOffset) & 7) != 0) {
                throw new IOException("a dirty log of %d bytes at file offset %d is not made of whole words"
                        .formatted(byteCount, fdOffset));
            }
            long fileBytes = FileIo.status(fd).sizeBytes();
            if (byteCount > fileBytes - fdOffset) {
                throw new IOException("a dirty log of %d bytes at offset %d runs over the end of its file of %d bytes"
                        .formatted(byteCount, fdOffset, fileBytes));
            }
            return new SharedDirtyLog(fd, fdOffset, Mapping.shared(fd, fdOffset, byteCount, true));
        } catch (IOException | RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** Its file, for a device in another process; stays the log's. */
    public Fd fd() {
        return fd;
    }

    public long fdOffset() {
        return fdOffset;
    }

    public long byteCount() {
        return words.byteSize();
    }

    /** Writes that lay outside of the pages that the log has room for. */
    public long marksOutside() {
        return outside.sum();
    }

    /**
     * The log as one queue sees it, which counts the pages that it marks.
     *
     * @param statistics of the queue whose thread alone calls the result
     */
    public DirtyLog countedBy(QueueStatistics statistics) {
        // On the queue's own counters: one counter for all queues would pass from core to core at every mark.
        return (guestAddress, byteCount) -> {
            int pages = markAndCount(guestAddress, byteCount);
            if (pages != 0) {
                statistics.countMarkedPages(pages);
            }
        };
    }

    @Override
    public void mark(long guestAddress, long byteCount) {
        int _ = markAndCount(guestAddress, byteCount);
    }

    /** Marks a range. Answers how many of its pages were not marked. */
    private int markAndCount(long guestAddress, long byteCount) {
        long last = (guestAddress + byteCount - 1) >>> PAGE_SHIFT;
        if (last >= pageCount) {
            outside.increment();
            return 0;
        }
        int pages = 0;
        for (long page = guestAddress >>> PAGE_SHIFT; page <= last; ) {
            long word = page >>> 6;
            long mask = 0;
            for (; page <= last && page >>> 6 == word; page++) {
                mask |= 1L << page;
            }
            // Always the atomic step: a load that finds the bit set may be older than the write that is to be marked.
            long before = (long) WORD.getAndBitwiseOr(words, word * Long.BYTES, mask);
            pages += Long.bitCount(mask & ~before);
        }
        return pages;
    }

    /** Whether a page is marked. */
    public boolean isMarked(long guestAddress) {
        long page = guestAddress >>> PAGE_SHIFT;
        return ((long) WORD.getAcquire(words, (page >>> 6) * Long.BYTES) & 1L << page) != 0;
    }

    /** Takes all marks away. */
    public void clear() {
        for (long offset = 0; offset < words.byteSize(); offset += Long.BYTES) {
            long _ = (long) WORD.getAndSet(words, offset, 0L);
        }
    }

    @Override
    public void close() {
        mapping.close();
        fd.close();
    }
}
