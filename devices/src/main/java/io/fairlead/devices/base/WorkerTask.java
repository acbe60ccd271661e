package io.fairlead.devices.base;

import org.jspecify.annotations.Nullable;

/**
 * Work that may block, done by a {@link WorkerPool} and given back to its queue's loop by {@link CompletionQueue}. Made
 * once with a request's slot and used again for every request in it.
 */
public abstract class WorkerTask {
    /** The next task of whichever list the task is in. */
    @Nullable
    WorkerTask next;

    /** A task that is nowhere. */
    protected WorkerTask() {}

    /** Does the work, on a worker's thread. At its end the task hands itself to its queue. Must not throw. */
    protected abstract void run();

    /** The work is done; on the loop's thread. */
    protected abstract void finish();
}
