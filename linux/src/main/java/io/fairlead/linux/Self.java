package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What this process and the calling thread use and may use.
 *
 * <p>Thread-safe; allocates nothing.
 */
public final class Self {
    static final int CLOCK_PROCESS_CPUTIME_ID = 2;
    static final int CLOCK_THREAD_CPUTIME_ID = 3;
    static final int RLIMIT_NOFILE = 7;
    static final int RLIMIT_MEMLOCK = 8;
    static final long RLIM_INFINITY = -1;

    private Self() {}

    /** Processor time of the calling thread so far, user and kernel, nanoseconds. */
    public static long threadCpuNanos() {
        return nanos(CLOCK_THREAD_CPUTIME_ID);
    }

    /** Processor time of all threads of this process so far, user and kernel, nanoseconds. */
    public static long processCpuNanos() {
        return nanos(CLOCK_PROCESS_CPUTIME_ID);
    }

    /** How much memory the process may lock or pin, bytes; {@link Long#MAX_VALUE} where there is no limit. */
    public static long lockedMemoryLimitBytes() {
        return limit(RLIMIT_MEMLOCK);
    }

    /** How many descriptors the process may have open; {@link Long#MAX_VALUE} where there is no limit. */
    public static long openFilesLimit() {
        return limit(RLIMIT_NOFILE);
    }

    /**
     * Raises how many descriptors the process may have open, as far as the system lets it.
     *
     * @return how many it may have now
     */
    public static long raiseOpenFilesLimit(long wanted) {
        long now = openFilesLimit();
        for (long next = wanted; next > now; next = next / 2) {
            MemorySegment rlimit = Libc.scratch();
            expectSuccess(Libc.getrlimit(RLIMIT_NOFILE, rlimit.address()), "getrlimit");
            long hard = rlimit.get(JAVA_LONG, Long.BYTES);
            rlimit.set(JAVA_LONG, 0, next);
            rlimit.set(JAVA_LONG, Long.BYTES, hard == RLIM_INFINITY ? hard : Math.max(hard, next));
            if (Libc.setrlimit(RLIMIT_NOFILE, rlimit.address()) >= 0) {
                break;
            }
        }
        return openFilesLimit();
    }

    /**
     * Raises how much memory the process may lock or pin, where the system lets it: up to the hard limit, beyond it with
     * CAP_SYS_RESOURCE.
     *
     * @return how much it may lock now, bytes
     */
    public static long raiseLockedMemoryLimit(long wantedBytes) {
        if (lockedMemoryLimitBytes() < wantedBytes) {
            MemorySegment rlimit = Libc.scratch();
            expectSuccess(Libc.getrlimit(RLIMIT_MEMLOCK, rlimit.address()), "getrlimit");
            long hard = rlimit.get(JAVA_LONG, Long.BYTES);
            rlimit.set(JAVA_LONG, 0, wantedBytes);
            rlimit.set(JAVA_LONG, Long.BYTES, hard == RLIM_INFINITY ? hard : Math.max(hard, wantedBytes));
            // A refusal shows in the answer.
            Libc.setrlimit(RLIMIT_MEMLOCK, rlimit.address());
        }
        return lockedMemoryLimitBytes();
    }

    /**
     * Memory of this process that the kernel has pinned for devices and counts against {@link #lockedMemoryLimitBytes}:
     * VmPin of /proc/self/status, bytes.
     */
    public static long pinnedMemoryBytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmPin:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
            }
        }
        throw new IOException("/proc/self/status has no VmPin");
    }

    private static long nanos(int clock) {
        MemorySegment timespec = Libc.scratch();
        expectSuccess(Libc.clockGettime(clock, timespec.address()), "clock_gettime");
        return timespec.get(JAVA_LONG, 0) * 1_000_000_000 + timespec.get(JAVA_LONG, Long.BYTES);
    }

    static long limit(int resource) {
        MemorySegment rlimit = Libc.scratch();
        expectSuccess(Libc.getrlimit(resource, rlimit.address()), "getrlimit");
        long current = rlimit.get(JAVA_LONG, 0);
        return current == RLIM_INFINITY ? Long.MAX_VALUE : current;
    }

    /** These calls fail only where their arguments are wrong. */
    private static void expectSuccess(int result, String call) {
        if (result < 0) {
            throw new IllegalStateException(call + ": " + Errno.name(-result));
        }
    }
}
