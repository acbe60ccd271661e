package io.fairlead.bench.blk;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fairlead.linux.Fd;
import io.fairlead.linux.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** What the kernel's page cache has of a file. */
final class PageCache {
    private static final int POSIX_FADV_DONTNEED = 4;

    /** cachestat(2), of the same number on every architecture; the C library has no function for it. */
    private static final long SYS_CACHESTAT = 451;

    /** {@code struct cachestat_range}: off, len. */
    private static final long RANGE_BYTES = 16;

    /** {@code struct cachestat}: nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted. */
    private static final long CACHESTAT_BYTES = 40;

    private static final int PAGE_BYTES = 4096;

    private final MethodHandle fadvise;
    private final MethodHandle syscall;

    PageCache() throws IOException {
        NativeLibrary library = NativeLibrary.standard();
        fadvise = library.function(
                "posix_fadvise", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
        syscall = library.function(
                "syscall",
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT),
                Linker.Option.firstVariadicArg(1));
    }

    /** Drops all clean pages that no process has mapped. */
    void drop(Fd fd) throws IOException {
        int result;
        try {
            result = (int) fadvise.invokeExact(fd.raw(), 0L, 0L, POSIX_FADV_DONTNEED);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
        if (result != 0) {
            throw new IOException("posix_fadvise %s failed with error %d".formatted(fd.subject(), result));
        }
    }

    /** How much of the file's first bytes the cache has; 0 where the kernel does not tell. */
    long residentBytes(Fd fd, long byteCount) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment range = arena.allocate(RANGE_BYTES, Long.BYTES);
            range.set(JAVA_LONG, Long.BYTES, byteCount);
            MemorySegment found = arena.allocate(CACHESTAT_BYTES, Long.BYTES);
            long result = (long) syscall.invokeExact(SYS_CACHESTAT, fd.raw(), range, found, 0);
            return result == 0 ? found.get(JAVA_LONG, 0) * PAGE_BYTES : 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
