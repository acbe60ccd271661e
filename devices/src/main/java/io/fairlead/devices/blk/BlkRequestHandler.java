package io.fairlead.devices.blk;

import io.fairlead.devices.base.CompletionQueue;
import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.TaskList;
import io.fairlead.devices.base.WorkerPool;
import io.fairlead.linux.Errno;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one queue (virtio 1.4, 5.2.6). What needs no wait is done at once on the queue's thread, plain reads and
 * writes that do by io_uring, everything else by the device's workers: no request waits for a slow one before it.
 */
final class BlkRequestHandler implements QueueHandler {
    /** Longer transfers go to workers: io_uring's results are 32 bits. */
    private static final long MAX_RING_BYTES = 1 << 30;

    /** A longer copy would hold up the queue; a system call with its own thread does better there. */
    private static final long MAX_CACHED_BYTES = 1 << 20;

    private final BlkDevice device;
    private final QueueRunner runner;
    private final BlkBackend backend;
    private final WorkerPool workers;
    private final long features;
    private final CompletionQueue completions;
    private final TaskList gathered = new TaskList();
    private final MemorySegment range = MemorySegment.ofArray(new long[BlkRequest.SEGMENT_BYTES / Long.BYTES]);

    /** Whether io_uring is wanted and the kernel has not refused it. */
    private boolean mayUseRing;

    private @Nullable TransferRing ring;

    /** What the storage said in this round about reads from the page cache. */
    private boolean cachedReads;

    private boolean cachedReadsAsked;

    BlkRequestHandler(
            BlkDevice device,
            QueueRunner runner,
            BlkBackend backend,
            WorkerPool workers,
            boolean mayUseRing,
            long features) {
        this.mayUseRing = mayUseRing;
        this.device = device;
        this.runner = runner;
        this.backend = backend;
        this.workers = workers;
        this.features = features;
        completions = new CompletionQueue(runner);
    }

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        if (chain.readableBytes() < BlkRequest.HEADER_BYTES) {
            throw new GuestFaultException("a request has %d readable bytes, less than its header of %d"
                    .formatted(chain.readableBytes(), BlkRequest.HEADER_BYTES));
        }
        if (chain.writableBytes() < BlkRequest.STATUS_BYTES) {
            throw new GuestFaultException("a request has no room for its status");
        }
        int type = chain.readInt(BlkRequest.TYPE_OFFSET);
        long sector = chain.readLong(BlkRequest.SECTOR_OFFSET);
        switch (type) {
            case BlkRequest.IN -> read(chain, sector);
            case BlkRequest.OUT -> write(chain, sector);
            case BlkRequest.FLUSH -> gather(task(chain).command(type, 0).durable(true));
            case BlkRequest.GET_ID -> identify(chain);
            case BlkRequest.DISCARD -> ranges(chain, type, BlkConfig.F_DISCARD);
            case BlkRequest.WRITE_ZEROES -> ranges(chain, type, BlkConfig.F_WRITE_ZEROES);
            default -> answer(chain, BlkRequest.STATUS_UNSUPP, 0, 0);
        }
    }

    private void read(DescriptorChain chain, long sector) {
        long count = chain.writableBytes() - BlkRequest.STATUS_BYTES;
        if (!isTransfer(sector, count)) {
            answer(chain, BlkRequest.STATUS_IOERR, 0, 0);
            return;
        }
        if (count == 0) {
            answer(chain, BlkRequest.STATUS_OK, 0, 0);
            return;
        }
        long offset = sector << BlkRequest.SECTOR_SHIFT;
        if (mayReadCached() && count <= MAX_CACHED_BYTES && backend.readCached(chain, offset, (int) count)) {
            answer(chain, BlkRequest.STATUS_OK, count, 0);
            return;
        }
        int first = chain.readableCount();
        int segments = chain.segmentCount() - first - 1;
        if (chain.segmentBytes(chain.segmentCount() - 1) != BlkRequest.STATUS_BYTES || !isFit(chain, first, segments)) {
            segments = 0;
        } else if (backend.readNow(chain.iovecAddress(first), segments, offset) == count) {
            answer(chain, BlkRequest.STATUS_OK, count, 0);
            return;
        }
        gather(task(chain).transfer(BlkRequest.IN, offset, count, first, segments));
    }

    private boolean mayReadCached() {
        if (!cachedReadsAsked) {
            cachedReadsAsked = true;
            cachedReads = backend.mayReadCached();
        }
        return cachedReads;
    }

    private void write(DescriptorChain chain, long sector) {
        long count = chain.readableBytes() - BlkRequest.HEADER_BYTES;
        if (backend.readOnly() || !isTransfer(sector, count)) {
            answer(chain, BlkRequest.STATUS_IOERR, 0, 0);
            return;
        }
        if (count == 0) {
            answer(chain, BlkRequest.STATUS_OK, 0, 0);
            return;
        }
        long offset = sector << BlkRequest.SECTOR_SHIFT;
        boolean durable = device.isWriteThrough(features);
        int first = 1;
        int segments = chain.readableCount() - 1;
        if (chain.segmentBytes(0) != BlkRequest.HEADER_BYTES || !isFit(chain, first, segments)) {
            segments = 0;
        } else if (!durable && backend.writeNow(chain.iovecAddress(first), segments, offset) == count) {
            answer(chain, BlkRequest.STATUS_OK, 0, count);
            return;
        }
        gather(task(chain)
                .transfer(BlkRequest.OUT, offset, count, first, segments)
                .durable(durable));
    }

    private boolean isTransfer(long sector, long byteCount) {
        return byteCount % BlkRequest.SECTOR_BYTES == 0
                && BlkRange.isInside(sector, byteCount >> BlkRequest.SECTOR_SHIFT, backend.byteCount());
    }

    /** Whether the storage can use the segments where they lie. */
    private boolean isFit(DescriptorChain chain, int first, int count) {
        int mask = backend.alignmentBytes() - 1;
        if (mask != 0) {
            for (int i = first; i < first + count; i++) {
                if (((chain.segmentHostAddress(i) | chain.segmentBytes(i)) & mask) != 0) {
                    return false;
                }
            }
        }
        return count > 0;
    }

    private void identify(DescriptorChain chain) {
        MemorySegment id = device.id();
        int count = (int) Math.min(chain.writableBytes() - BlkRequest.STATUS_BYTES, id.byteSize());
        chain.write(0, id, 0, count);
        answer(chain, BlkRequest.STATUS_OK, count, 0);
    }

    private void ranges(DescriptorChain chain, int type, long feature) {
        long count = chain.readableBytes() - BlkRequest.HEADER_BYTES;
        byte status = Feature.has(features, feature) ? checkRanges(chain, type, count) : BlkRequest.STATUS_UNSUPP;
        if (status == BlkRequest.STATUS_OK) {
            gather(task(chain).command(type, count).durable(device.isWriteThrough(features)));
        } else {
            answer(chain, status, 0, 0);
        }
    }

    private byte checkRanges(DescriptorChain chain, int type, long byteCount) {
        if (backend.readOnly()
                || byteCount % BlkRequest.SEGMENT_BYTES != 0
                || byteCount > (long) BlkDevice.MAX_RANGES * BlkRequest.SEGMENT_BYTES) {
            return BlkRequest.STATUS_IOERR;
        }
        int known = type == BlkRequest.WRITE_ZEROES ? BlkRequest.SEGMENT_FLAG_UNMAP : 0;
        for (long at = 0; at < byteCount; at += BlkRequest.SEGMENT_BYTES) {
            chain.read(BlkRequest.HEADER_BYTES + at, range, 0, BlkRequest.SEGMENT_BYTES);
            if ((BlkRange.flags(range) & ~known) != 0) {
                return BlkRequest.STATUS_UNSUPP;
            }
            if (BlkRange.sectorCount(range) > BlkDevice.MAX_RANGE_SECTORS
                    || !BlkRange.isInside(BlkRange.sector(range), BlkRange.sectorCount(range), backend.byteCount())) {
                return BlkRequest.STATUS_IOERR;
            }
        }
        return BlkRequest.STATUS_OK;
    }

    private BlkTask task(DescriptorChain chain) {
        if (chain.attachment() instanceof BlkTask task) {
            return task;
        }
        BlkTask task = new BlkTask(this, backend, completions, chain);
        chain.attachment(task);
        return task;
    }

    private void gather(BlkTask task) {
        if (!toRing(task)) {
            gathered.add(task);
        }
    }

    /** Reads and writes that need nothing else go to io_uring. */
    private boolean toRing(BlkTask task) {
        int descriptor = backend.descriptor();
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
    void transferred(BlkTask task, int result) {
        if (result == task.byteCount() || isFrozen()) {
            finish(task.ended(0));
        } else if (result < 0 && result != -Errno.EAGAIN && result != -Errno.EINTR) {
            finish(task.ended(result));
        } else {
            gathered.add(task);
            endBatch();
        }
    }

    @Override
    public void endBatch() {
        if (ring != null) {
            ring.submit();
        }
        if (gathered.size() > 0) {
            workers.submit(gathered);
        }
    }

    @Override
    public boolean poll() {
        cachedReadsAsked = false;
        boolean transfers = ring != null && ring.poll(this);
        return completions.finishAll() || transfers;
    }

    @Override
    public boolean hasWork() {
        return !completions.isEmpty() || (ring != null && ring.arm(this));
    }

    @Override
    public void stopped() {
        if (ring != null) {
            ring.close();
        }
    }

    /** Whether the queue has stopped without an answer to what is under way. Any thread. */
    boolean isFrozen() {
        return runner.isFrozen();
    }

    /** A worker is done with a request. On the queue's thread. */
    void finish(BlkTask task) {
        DescriptorChain chain = task.chain();
        if (isFrozen()) {
            // Whoever takes the request up does it again.
            runner.complete(chain, 0);
            return;
        }
        Throwable fault = task.fault();
        if (fault != null) {
            runner.abandon(chain, fault);
            return;
        }
        byte status = BlkRequest.STATUS_OK;
        if (task.result() != 0) {
            status = BlkRequest.STATUS_IOERR;
            device.reportError(task.type(), -task.result());
        }
        long done = status == BlkRequest.STATUS_OK ? task.byteCount() : 0;
        try {
            answer(chain, status, task.type() == BlkRequest.IN ? done : 0, task.type() == BlkRequest.OUT ? done : 0);
        } catch (RuntimeException | InternalError e) {
            runner.abandon(chain, e);
        }
    }

    /** Writes the status and gives the request back; all its writable bytes count as written, the status being the last. */
    private void answer(DescriptorChain chain, byte status, long readBytes, long writtenBytes) {
        chain.writeLastByte(status);
        runner.statistics().countRequests(1, readBytes, writtenBytes);
        if (status != BlkRequest.STATUS_OK) {
            runner.statistics().countFailedRequest();
        }
        runner.complete(chain, chain.writableBytes());
    }
}
