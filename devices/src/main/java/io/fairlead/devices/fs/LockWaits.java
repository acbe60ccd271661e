package io.fairlead.devices.fs;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Requests of one device that wait for a lock. They take no thread: each is tried again when the guest gives a lock up, and
 * now and then, since processes of the host do not tell when they do. The thread for that exists only while something waits.
 *
 * <p>Thread-safe.
 */
final class LockWaits implements AutoCloseable {
    private static final long PAUSE_MILLIS = 20;

    private final String name;
    private final List<FsTask> waiting = new ArrayList<>();

    /** Locks that came with a moved machine and are still to be taken at the host: tries, and says whether all are. */
    private @Nullable BooleanSupplier due;

    private @Nullable Thread poller;
    private boolean closed;

    LockWaits(String name) {
        this.name = name;
    }

    synchronized void add(FsTask task) {
        waiting.add(task);
        poll();
    }

    /** Calls this again and again until it returns true. */
    synchronized void due(BooleanSupplier newDue) {
        due = newDue;
        poll();
    }

    private void poll() {
        if (poller == null && !closed) {
            poller = Thread.ofPlatform().daemon().name(name + "-locks").start(this::run);
        }
    }

    private void run() {
        try {
            while (true) {
                Thread.sleep(PAUSE_MILLIS);
                BooleanSupplier wanted;
                synchronized (this) {
                    if (closed || (waiting.isEmpty() && due == null)) {
                        poller = null;
                        return;
                    }
                    wanted = due;
                    due = null;
                }
                boolean done = wanted == null || wanted.getAsBoolean();
                synchronized (this) {
                    if (!done && due == null) {
                        due = wanted;
                    }
                }
                retry();
            }
        } catch (InterruptedException e) {
            synchronized (this) {
                poller = null;
            }
        }
    }

    /** Tries all again. */
    void retry() {
        take(_ -> true).forEach(FsTask::again);
    }

    /** Takes requests out; they are the caller's. */
    synchronized List<FsTask> take(Predicate<FsTask> which) {
        if (waiting.isEmpty()) {
            return List.of();
        }
        List<FsTask> taken = waiting.stream().filter(which).toList();
        waiting.removeAll(taken);
        return taken;
    }

    /** Ends the waiting of one request with EINTR. */
    void interrupt(long unique) {
        take(task -> task.unique() == unique).forEach(FsTask::interrupt);
    }

    void interruptAll() {
        take(_ -> true).forEach(FsTask::interrupt);
        synchronized (this) {
            due = null;
        }
    }

    /** Ends the thread and waits for it. No request waits any more. */
    @Override
    public void close() {
        Thread ending;
        synchronized (this) {
            closed = true;
            ending = poller;
        }
        if (ending != null) {
            ending.interrupt();
            try {
                ending.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
