package io.fairlead.devices.fs;

import io.fairlead.devices.base.CompletionQueue;
import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.TaskList;
import io.fairlead.devices.base.WorkerPool;
import io.fairlead.linux.Errno;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.GuestFaultException;

/**
 * The requests of one queue (virtio 1.4, 5.11.6). What the host's file system answers from memory, mostly, is done at once
 * on the queue's thread, which is one of the device's own: a hop to another thread and back takes longer than the request.
 * What waits for the disk by its nature is done by the device's workers. Where a request took long after all, workers do
 * everything for a while, so that one request in 50 ms at most holds up those behind it.
 * Both kinds of queues take all requests.
 */
final class FsRequestHandler implements QueueHandler {
    /** What takes longer waits for something. */
    private static final long SLOW_NANOS = 4_000_000;

    private static final long AVOID_NANOS = 50_000_000;
    private static final long MAX_QUICK_WRITE_BYTES = CachedTransfers.MAX_BYTES + (4 << 10);

    private final FsService service;
    private final QueueRunner runner;
    private final WorkerPool workers;
    private final CachedTransfers cached;
    private final CompletionQueue completions;
    private final TaskList gathered = new TaskList();

    /** Until then nothing is tried on the queue's thread that may wait. */
    private long slowUntilNanos = System.nanoTime();

    FsRequestHandler(FsService service, QueueRunner runner, WorkerPool workers) {
        this.service = service;
        this.runner = runner;
        this.workers = workers;
        cached = new CachedTransfers(service.export());
        completions = new CompletionQueue(runner);
    }

    FsService service() {
        return service;
    }

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        if (chain.readableBytes() < Fuse.InHeader.BYTES) {
            throw new GuestFaultException("a request has %d readable bytes, less than its header of %d"
                    .formatted(chain.readableBytes(), Fuse.InHeader.BYTES));
        }
        int opcode = chain.readInt(Fuse.InHeader.OPCODE);
        if (chain.writableBytes() < Fuse.OutHeader.BYTES && FsService.isAnswered(opcode)) {
            throw new GuestFaultException("a request of kind %d has no room for its answer".formatted(opcode));
        }
        if (opcode == FuseOpcode.READ || opcode == FuseOpcode.WRITE) {
            long written = opcode == FuseOpcode.READ ? cached.read(chain) : cached.write(chain);
            if (written > 0) {
                count(opcode, chain, written);
                runner.complete(chain, written);
                return;
            }
        }
        FsTask task = task(chain);
        if (!isQuick(opcode, chain)) {
            gathered.add(task);
            return;
        }
        long startNanos = System.nanoTime();
        if (startNanos - slowUntilNanos < 0) {
            gathered.add(task);
            return;
        }
        task.serve();
        finish(task);
        long endNanos = System.nanoTime();
        if (endNanos - startNanos > SLOW_NANOS) {
            slowUntilNanos = endNanos + AVOID_NANOS;
        }
    }

    /** Whether a request is done at once where the host's file system answers from memory. */
    private static boolean isQuick(int opcode, DescriptorChain chain) {
        return opcode == FuseOpcode.WRITE ? chain.readableBytes() <= MAX_QUICK_WRITE_BYTES : FuseOpcode.isQuick(opcode);
    }

    private FsTask task(DescriptorChain chain) {
        if (chain.attachment() instanceof FsTask task) {
            return task;
        }
        FsTask task = new FsTask(this, chain);
        chain.attachment(task);
        return task;
    }

    @Override
    public void endBatch() {
        if (gathered.size() > 0) {
            workers.submit(gathered);
        }
    }

    /** Has a worker begin with a request. Any thread. */
    void submit(FsTask task) {
        TaskList one = new TaskList();
        one.add(task);
        workers.submit(one);
    }

    /** A request is done or has to wait for a lock. Any thread. */
    void done(FsTask task) {
        completions.add(task);
    }

    @Override
    public boolean poll() {
        return completions.finishAll();
    }

    @Override
    public boolean hasWork() {
        return !completions.isEmpty();
    }

    /** On the queue's thread. */
    void finish(FsTask task) {
        DescriptorChain chain = task.chain();
        Throwable fault = task.fault();
        if (fault != null) {
            runner.abandon(chain, fault);
        } else if (task.result() != LockOperations.WAIT) {
            count(task.opcode(), chain, task.writtenBytes());
            if (task.result() == -Errno.EIO) {
                runner.statistics().countFailedRequest();
            }
            runner.complete(chain, task.writtenBytes());
        } else if (runner.isStopping()) {
            runner.leave(chain);
        } else {
            service.export().waits().add(task);
        }
    }

    private void count(int opcode, DescriptorChain chain, long writtenBytes) {
        long read = opcode == FuseOpcode.READ ? Math.max(0, writtenBytes - Fuse.OutHeader.BYTES) : 0;
        long wrote = opcode == FuseOpcode.WRITE && writtenBytes > Fuse.OutHeader.BYTES
                ? Math.max(0, chain.readableBytes() - Fuse.InHeader.BYTES - FuseFile.WriteIn.BYTES)
                : 0;
        runner.statistics().countRequests(1, read, wrote);
    }

    /** Those that wait for a lock are left as they are: whoever goes on with the queue tries them again. */
    @Override
    public void stopping() {
        service.export().waits().take(task -> task.handler() == this).forEach(task -> runner.leave(task.chain()));
    }

    @Override
    public boolean mayFreeze() {
        return false;
    }
}
