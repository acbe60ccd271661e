package io.fairlead.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Memory mapped into the process, unmapped once by {@link #close}. The mapping needs its descriptor only while it is
 * made.
 *
 * <p>Thread-safe. After close every access through {@link #segment} throws {@link IllegalStateException}; an access in
 * another thread at that moment either completes or throws. Addresses taken from the segment have no such protection.
 * Where the file is shorter than the mapping, an access beyond its end throws {@link InternalError}, and a system call
 * on it fails with EFAULT.
 */
public final class Mapping implements AutoCloseable {
    static final int PROT_READ = 1;
    static final int PROT_WRITE = 2;
    static final int MAP_SHARED = 1;
    static final int MAP_PRIVATE = 2;
    static final int MAP_ANONYMOUS = 0x20;
    static final int MADV_HUGEPAGE = 14;
    static final int MADV_DONTDUMP = 16;
    static final int MADV_POPULATE_READ = 22;
    static final int MADV_POPULATE_WRITE = 23;

    static final long PAGE_BYTES = Libc.pageBytes();

    private static final AtomicLong OPEN = new AtomicLong();

    private final Arena arena;
    private final String subject;
    private final MemorySegment whole;
    private final MemorySegment segment;

    @SuppressWarnings("MustBeClosedChecker") // close() closes the arena
    private Mapping(long address, long mappedBytes, long skippedBytes, long byteCount, boolean writable, String name) {
        arena = Arena.ofShared();
        subject = name;
        whole = MemorySegment.ofAddress(address).reinterpret(mappedBytes, arena, mapped -> {
            Libc.munmap(address, mappedBytes);
            OPEN.decrementAndGet();
        });
        OPEN.incrementAndGet();
        MemorySegment part = whole.asSlice(skippedBytes, byteCount);
        segment = writable ? part : part.asReadOnly();
    }

    /**
     * Maps a part of a file, shared with whoever else maps it.
     *
     * @param offset first byte, any number from 0: the alignment that mmap(2) wants (a page, or the file's huge page)
     *     is seen to here
     * @param byteCount 1 or more
     * @param writable else the segment is read-only
     */
    public static Mapping shared(Fd fd, long offset, long byteCount, boolean writable) throws LinuxException {
        checkByteCount(byteCount);
        if (offset < 0 || offset > Long.MAX_VALUE - byteCount) {
            throw new IllegalArgumentException("cannot map %d bytes at offset %d".formatted(byteCount, offset));
        }
        long alignment = alignment(fd);
        long start = offset & -alignment;
        long skipped = offset - start;
        long mapped = roundUp(skipped, byteCount, alignment);
        int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
        long address = LinuxException.check(
                Libc.mmap(0, mapped, protection, MAP_SHARED, fd.raw(), start), "mmap", fd.subject());
        return new Mapping(address, mapped, skipped, byteCount, writable, fd.subject());
    }

    /**
     * Private memory of zeros.
     *
     * @param byteCount 1 or more
     */
    public static Mapping anonymous(long byteCount) throws LinuxException {
        checkByteCount(byteCount);
        long mapped = roundUp(0, byteCount, PAGE_BYTES);
        String name = "%d bytes of anonymous memory".formatted(byteCount);
        long address = LinuxException.check(
                Libc.mmap(0, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap", name);
        return new Mapping(address, mapped, 0, byteCount, true, name);
    }

    /** How many mappings are open in this process. */
    public static long openCount() {
        return OPEN.get();
    }

    /** The mapped bytes; usable by every thread until {@link #close}. */
    public MemorySegment segment() {
        return segment;
    }

    public long byteCount() {
        return segment.byteSize();
    }

    /** Asks for huge pages where the kernel has them. */
    public void adviseHugePages() throws LinuxException {
        advise(MADV_HUGEPAGE, "madvise(MADV_HUGEPAGE)");
    }

    /** Keeps the memory out of core dumps. */
    public void excludeFromDumps() throws LinuxException {
        advise(MADV_DONTDUMP, "madvise(MADV_DONTDUMP)");
    }

    /** Makes every page present now, so that no later access waits for one. Linux 5.14; EFAULT beyond a file's end. */
    public void populate() throws LinuxException {
        if (segment.isReadOnly()) {
            advise(MADV_POPULATE_READ, "madvise(MADV_POPULATE_READ)");
        } else {
            advise(MADV_POPULATE_WRITE, "madvise(MADV_POPULATE_WRITE)");
        }
    }

    private void advise(int advice, String call) throws LinuxException {
        if (!whole.scope().isAlive()) {
            throw new IllegalStateException("closed: mapping of " + subject);
        }
        LinuxException.check(Libc.madvise(whole.address(), whole.byteSize(), advice), call, subject);
    }

    /**
     * Unmaps; further calls do nothing. Costs some 70 µs.
     *
     * @throws IllegalStateException where a native call is using the segment at this moment; nothing has changed then
     */
    @Override
    public synchronized void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    @Override
    public String toString() {
        return "mapping of " + subject;
    }

    /** Files of huge pages give their size as block size; for others a larger alignment than needed does no harm. */
    private static long alignment(Fd fd) throws LinuxException {
        long block = FileIo.status(fd).blockSizeBytes();
        return block > PAGE_BYTES && Long.bitCount(block) == 1 ? block : PAGE_BYTES;
    }

    private static long roundUp(long skipped, long byteCount, long alignment) {
        long end = skipped + byteCount;
        if (end < 0 || end > Long.MAX_VALUE - alignment) {
            throw new IllegalArgumentException("cannot map %d bytes".formatted(byteCount));
        }
        return (end + alignment - 1) & -alignment;
    }

    private static void checkByteCount(long byteCount) {
        if (byteCount <= 0) {
            throw new IllegalArgumentException("cannot map %d bytes".formatted(byteCount));
        }
    }
}
