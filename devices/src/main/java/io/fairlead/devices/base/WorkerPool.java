package io.fairlead.devices.base;

import org.jspecify.annotations.Nullable;

/**
 * Threads of one device for system calls that block, so that a device whose storage hangs takes no thread from another.
 * A thread starts when there is more work than idle threads and ends when it had none for a while: an idle device has no
 * threads.
 *
 * <p>Thread-safe.
 */
public final class WorkerPool implements AutoCloseable {
    private static final long IDLE_MILLIS = 5_000;

    private final String name;
    private final int maxThreads;
    private final Object lock = new Object();
    private final TaskList waiting = new TaskList();
    private int threads;
    private int idle;
    private int startedCount;
    private boolean closed;

    /** @param name of the device, for the threads' names */
    public WorkerPool(String name, int maxThreads) {
        this.name = name;
        this.maxThreads = maxThreads;
    }

    /** Takes all tasks out of a list and has them run. */
    public void submit(TaskList tasks) {
        synchronized (lock) {
            if (closed) {
                throw new IllegalStateException("workers of " + name + " are closed");
            }
            int wanted = tasks.size();
            waiting.addAll(tasks);
            for (int i = 0; i < Math.min(wanted, idle); i++) {
                lock.notify();
            }
            for (int missing = waiting.size() - idle; missing > 0 && threads < maxThreads; missing--) {
                if (!startThread()) {
                    break;
                }
            }
        }
    }

    private boolean startThread() {
        threads++;
        try {
            Thread.ofPlatform().daemon().name(name + "-io-" + startedCount++).start(this::work);
            return true;
        } catch (OutOfMemoryError limitReached) {
            threads--;
            if (threads == 0) {
                throw limitReached;
            }
            return false;
        }
    }

    /** Threads that exist now. */
    public int threadCount() {
        synchronized (lock) {
            return threads;
        }
    }

    private void work() {
        for (WorkerTask task = take(); task != null; task = take()) {
            task.run();
        }
    }

    private @Nullable WorkerTask take() {
        synchronized (lock) {
            long deadlineNanos = System.nanoTime() + IDLE_MILLIS * 1_000_000;
            WorkerTask task = waiting.poll();
            while (task == null && !closed && System.nanoTime() < deadlineNanos) {
                idle++;
                try {
                    lock.wait(IDLE_MILLIS);
                } catch (InterruptedException e) {
                    // Nobody has a reason to interrupt these threads; they end by close alone.
                } finally {
                    idle--;
                }
                task = waiting.poll();
            }
            if (task == null) {
                threads--;
                lock.notifyAll();
            }
            return task;
        }
    }

    /** Ends the threads after the tasks that were submitted and waits for them. */
    @Override
    public void close() {
        boolean interrupted = false;
        synchronized (lock) {
            closed = true;
            lock.notifyAll();
            while (threads > 0) {
                try {
                    lock.wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
