package io.fairlead.devices.base;

import org.jspecify.annotations.Nullable;

/** A first-in, first-out list of tasks without nodes of its own. One thread at a time. */
public final class TaskList {
    private @Nullable WorkerTask first;
    private @Nullable WorkerTask last;
    private int size;

    /** An empty list. */
    public TaskList() {}

    public int size() {
        return size;
    }

    public void add(WorkerTask task) {
        task.next = null;
        if (last == null) {
            first = task;
        } else {
            last.next = task;
        }
        last = task;
        size++;
    }

    /** The oldest task, taken out; null where there is none. */
    public @Nullable WorkerTask poll() {
        WorkerTask task = first;
        if (task != null) {
            first = task.next;
            if (first == null) {
                last = null;
            }
            task.next = null;
            size--;
        }
        return task;
    }

    /** Moves all tasks of another list to the end of this one. */
    void addAll(TaskList other) {
        WorkerTask otherFirst = other.first;
        if (otherFirst == null) {
            return;
        }
        if (last == null) {
            first = otherFirst;
        } else {
            last.next = otherFirst;
        }
        last = other.last;
        size += other.size;
        other.first = null;
        other.last = null;
        other.size = 0;
    }
}
