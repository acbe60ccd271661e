package io.fairlead.devices.storage;

import io.fairlead.devices.base.CompletionQueue;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.TaskList;
import io.fairlead.devices.base.WorkerPool;
import io.fairlead.linux.Errno;
import io.fairlead.virtio.DescriptorChain;
import org.jspecify.annotations.Nullable;

/**
 * One queue's way to storage. What needs no wait is done at once on the queue's thread, plain reads and writes that do by
 * io_uring, everything else by workers: no request waits for a slow one before it.
 *
 * <p>A type's {@link io.fairlead.devices.base.QueueHandler} passes its calls on to the methods of the same name. On the
 * queue's loop alone but for what says otherwise.
 */
public final class StorageQueue {
    /** Longer transfers go to workers: io_uring's results are 32 bits. */
    private static final long MAX_RING_BYTES = 1 << 30;

    /** A longer copy would hold up the queue; a system call with its own thread does better there. */
    private static final long MAX_CACHED_BYTES = 1 << 20;

    private final QueueRunner runner;
    private final CompletionQueue completions;

    /** Tasks for the workers of {@link #gatheredFor}. */
    private final TaskList gathered = new TaskList();

    private @Nullable WorkerPool gatheredFor;

    /** Whether io_uring is wanted and the kernel has not refused it. */
    private boolean mayUseRing;

    private @Nullable TransferRing ring;

    /** What a storage said in this round about reads from the page cache. */
    private boolean cachedReads;

    private @Nullable Storage cachedReadsAskedOf;

    /** @param mayUseRing whether io_uring may be used where the kernel allows it */
    public StorageQueue(QueueRunner runner, boolean mayUseRing) {
        this.runner = runner;
        this.mayUseRing = mayUseRing;
        completions = new CompletionQueue(runner);
    }

    /**
     * Reads from pages that are surely in the page cache.
     *
     * @param at where the data goes, counted over the writable bytes of the chain
     * @return whether it did; if not, those bytes may have any value
     */
    public boolean readCached(Storage storage, DescriptorChain chain, long at, long offset, long byteCount) {
        if (!storage.equals(cachedReadsAskedOf)) {
            cachedReadsAskedOf = storage;
            cachedReads = storage.mayReadCached();
        }
        return cachedReads && byteCount <= MAX_CACHED_BYTES && storage.readCached(chain, at, offset, (int) byteCount);
    }

    /**
     * Does a read or write that was filled in, where that needs no wait.
     *
     * @return whether it is done as a whole; if not, {@link #start} does it
     */
    public boolean tryNow(StorageTask task) {
        if (task.iovecCount() == 0 || task.isDurable()) {
            return false;
        }
        Storage storage = task.storage();
        long done = task.isRead()
                ? storage.readNow(task.iovecAddress(), task.iovecCount(), task.offset())
                : storage.writeNow(task.iovecAddress(), task.iovecCount(), task.offset());
        return done == task.byteCount();
    }

    /** Has a task done; it is answered later. */
    public void start(StorageTask task, WorkerPool workers) {
        task.workers(workers);
        if (!toRing(task)) {
            gather(task);
        }
    }

    private void gather(StorageTask task) {
        WorkerPool workers = task.workers();
        if (!workers.equals(gatheredFor)) {
            submitGathered();
            gatheredFor = workers;
        }
        gathered.add(task);
    }

    private void submitGathered() {
        WorkerPool workers = gatheredFor;
        if (workers != null && gathered.size() > 0) {
            workers.submit(gathered);
        }
    }

    /** Reads and writes that need nothing else go to io_uring. */
    private boolean toRing(StorageTask task) {
        int descriptor = task.storage().descriptor();
        if (!mayUseRing
                || descriptor < 0
                || task.iovecCount() == 0
                || task.isDurable()
                || task.byteCount() > MAX_RING_BYTES) {
            return false;
        }
        TransferRing target = ring;
        if (target == null) {
            target = TransferRing.tryCreate(runner);
            ring = target;
            mayUseRing = target != null;
        }
        return target != null && target.add(task, descriptor);
    }

    /** io_uring is done with a transfer; what it did not do as a whole is done again by a worker. */
    void transferred(StorageTask task, int result) {
        if (result == task.byteCount() || isFrozen()) {
            task.transferred(0);
            finish(task);
        } else if (result < 0 && result != -Errno.EAGAIN && result != -Errno.EINTR) {
            task.transferred(result);
            finish(task);
        } else {
            gather(task);
            endBatch();
        }
    }

    /** A worker is done with a task. Any thread. */
    void workerDone(StorageTask task) {
        completions.add(task);
    }

    /** Whether the queue has stopped without an answer to what is under way. Any thread. */
    boolean isFrozen() {
        return runner.isFrozen();
    }

    /** A request has come to its end. */
    void finish(StorageTask task) {
        try {
            Throwable fault = task.fault();
            if (isFrozen()) {
                // Whoever takes the request up does it again.
                runner.complete(task.chain(), 0);
            } else if (fault != null) {
                runner.abandon(task.chain(), fault);
            } else {
                answer(task);
            }
        } finally {
            task.ended();
        }
    }

    private void answer(StorageTask task) {
        try {
            task.answer();
        } catch (RuntimeException | InternalError e) {
            runner.abandon(task.chain(), e);
        }
    }

    /** Requests were taken and there are no more for now. */
    public void endBatch() {
        if (ring != null) {
            ring.submit();
        }
        submitGathered();
    }

    /**
     * Ends what is done.
     *
     * @return whether there was something
     */
    public boolean poll() {
        cachedReadsAskedOf = null;
        boolean transfers = ring != null && ring.poll(this);
        return completions.finishAll() || transfers;
    }

    /** The last look before the queue falls asleep. */
    public boolean hasWork() {
        return !completions.isEmpty() || (ring != null && ring.arm(this));
    }

    /** The queue has stopped; no request is in flight. */
    public void stopped() {
        if (ring != null) {
            ring.close();
        }
    }
}
