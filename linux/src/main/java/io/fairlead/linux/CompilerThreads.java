package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The threads in which the JVM compiles. What has hardly ever run is interpreted and then compiled, and both at once, on
 * processors that are busy, makes it come late: for a while the compilers can stand back. Thread-safe.
 */
public final class CompilerThreads {
    static final int SCHED_OTHER = 0;

    /** Others that become ready take the processor from such a thread at once. */
    static final int SCHED_IDLE = 5;

    static final int RLIMIT_NICE = 13;
    static final int CAP_SYS_NICE = 23;

    private static final long MAX_SECONDS = 60;
    private static final boolean AARCH64 = "aarch64".equals(System.getProperty("os.arch"));
    static final int SYS_SCHED_SETSCHEDULER = AARCH64 ? 119 : 144;
    static final int SYS_SCHED_GETSCHEDULER = AARCH64 ? 120 : 145;

    /** The limit with which a thread of nice value zero may be let forward. */
    private static final int NICE_ZERO = 20;

    private static final Path TASKS = Path.of("/proc/self/task");

    private static int quiet;

    private CompilerThreads() {}

    /** Until it is closed the compilers stand back. */
    public static final class Quiet implements AutoCloseable {
        private boolean closed;

        private Quiet() {}

        /** Again: no effect. */
        @Override
        public void close() {
            end(this);
        }
    }

    /**
     * Has the compilers stand back: they run where a processor has nothing else to do, until all who asked for it have
     * closed what they got, or a minute ago, so that nobody keeps others' code from being compiled. Without effect where
     * this process may not give them their due again.
     */
    public static synchronized Quiet quiet() {
        if (quiet++ == 0 && mayRaise()) {
            threads().forEach(thread -> policy(thread, SCHED_OTHER, SCHED_IDLE));
        }
        Quiet begun = new Quiet();
        CompletableFuture.delayedExecutor(MAX_SECONDS, TimeUnit.SECONDS).execute(begun::close);
        return begun;
    }

    private static synchronized void end(Quiet one) {
        if (one.closed) {
            return;
        }
        one.closed = true;
        if (--quiet == 0 && mayRaise()) {
            // Those that came meanwhile began as the others were.
            threads().forEach(thread -> policy(thread, SCHED_IDLE, SCHED_OTHER));
        }
    }

    /** The numbers of those that there are now; the JVM starts and ends some as it needs them. */
    static List<Integer> threads() {
        List<Integer> found = new ArrayList<>();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(TASKS)) {
            for (Path task : tasks) {
                String name = name(task);
                if (name != null && (name.startsWith("C1 Compiler") || name.startsWith("C2 Compiler"))) {
                    found.add(Integer.parseInt(task.getFileName().toString()));
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // Without /proc nobody is found.
            return List.of();
        }
        return found;
    }

    private static @Nullable String name(Path task) {
        try {
            return Files.readString(task.resolve("comm"));
        } catch (IOException e) {
            // It has ended.
            return null;
        }
    }

    /** Whether a thread that stood back may be let forward again (sched(7)). */
    static boolean mayRaise() {
        if (ThreadIdentity.has(CAP_SYS_NICE)) {
            return true;
        }
        long limit = Self.limit(RLIMIT_NICE);
        return limit >= NICE_ZERO;
    }

    /** How a thread is scheduled; negative where it has ended. */
    static int policy(int thread) {
        return (int) Libc.syscall(SYS_SCHED_GETSCHEDULER, thread, 0, 0, 0, 0, 0);
    }

    /** Changes it where it is as expected; one that has ended needs nothing. */
    private static void policy(int thread, int expected, int wanted) {
        if (policy(thread) == expected) {
            MemorySegment priority = Libc.scratch();
            priority.set(JAVA_INT, 0, 0);
            long _ = Libc.syscall(SYS_SCHED_SETSCHEDULER, thread, wanted, priority.address(), 0, 0, 0);
        }
    }
}
