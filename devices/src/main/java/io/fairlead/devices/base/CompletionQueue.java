package io.fairlead.devices.base;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Brings finished tasks from any thread back to a queue's loop, which finishes them in the order in which they came.
 * Allocates nothing.
 */
public final class CompletionQueue {
    private final QueueRunner runner;

    /** The youngest first. */
    private final AtomicReference<@Nullable WorkerTask> finished = new AtomicReference<>();

    public CompletionQueue(QueueRunner runner) {
        this.runner = runner;
    }

    /** Hands a task over. Any thread. */
    public void add(WorkerTask task) {
        WorkerTask head;
        do {
            head = finished.get();
            task.next = head;
        } while (!finished.compareAndSet(head, task));
        runner.wake();
    }

    public boolean isEmpty() {
        return finished.get() == null;
    }

    /**
     * Finishes what has come. On the loop's thread.
     *
     * @return whether there was something
     */
    public boolean finishAll() {
        if (isEmpty()) {
            return false;
        }
        WorkerTask task = oldestFirst(finished.getAndSet(null));
        while (task != null) {
            WorkerTask following = task.next;
            task.next = null;
            task.finish();
            task = following;
        }
        return true;
    }

    private static @Nullable WorkerTask oldestFirst(@Nullable WorkerTask youngest) {
        WorkerTask oldest = null;
        WorkerTask task = youngest;
        while (task != null) {
            WorkerTask older = task.next;
            task.next = oldest;
            oldest = task;
            task = older;
        }
        return oldest;
    }
}
