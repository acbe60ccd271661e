package io.fairlead.devices.storage;

import io.fairlead.linux.Fd;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Mapping;
import io.fairlead.virtio.DescriptorChain;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Reads pages that are surely in the page cache by copying them from a mapping of the file: half the processor time of a
 * system call. Only pages that a read found there a few seconds ago are touched, so that a copy does not wait for the
 * disk; the kernel takes back what was not used for longer.
 *
 * <p>Thread-safe; nothing on the data path allocates but a chunk of {@link RecentPages} now and then.
 */
final class CachedReads implements AutoCloseable {
    private static final long PERIOD_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final Mapping mapping;
    private final RecentPages pages;

    private CachedReads(Mapping mapping) {
        this.mapping = mapping;
        pages = new RecentPages(mapping.byteCount(), PERIOD_NANOS, System.nanoTime());
    }

    /** Maps a file as long as it is now; null where it cannot be mapped, which every use can do without. */
    static @Nullable CachedReads tryCreate(Fd fd, long byteCount) {
        try {
            return new CachedReads(Mapping.shared(fd, 0, byteCount, false));
        } catch (LinuxException e) {
            return null;
        }
    }

    /** To be called once for a batch of reads: pages that were not read for long do not count any more. */
    void startBatch() {
        pages.passTime(System.nanoTime());
    }

    /**
     * Reads a range into writable bytes of a request.
     *
     * @param at where they go
     * @return false where not all of it is surely there: nothing is promised of the request's bytes then
     */
    boolean read(DescriptorChain chain, long at, long offset, int byteCount) {
        if (!pages.use(offset, byteCount)) {
            return false;
        }
        try {
            chain.write(at, mapping.segment(), offset, byteCount);
            return true;
        } catch (InternalError e) {
            // SIGBUS: the file was cut short, the disk failed, or the guest's memory is gone. A system call tells
            // which.
            pages.forget(offset, byteCount);
            return false;
        }
    }

    /** A range was read through the page cache just now. */
    void seen(long offset, long byteCount) {
        pages.seen(offset, byteCount);
    }

    /** A range was given back. */
    void forget(long offset, long byteCount) {
        pages.forget(offset, byteCount);
    }

    @Override
    public void close() {
        mapping.close();
    }
}
