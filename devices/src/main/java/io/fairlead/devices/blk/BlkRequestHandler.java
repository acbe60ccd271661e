package io.fairlead.devices.blk;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.WorkerPool;
import io.fairlead.devices.storage.Storage;
import io.fairlead.devices.storage.StorageQueue;
import io.fairlead.devices.storage.StorageTask;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import java.lang.foreign.MemorySegment;

/**
 * The requests of one queue (virtio 1.4, 5.2.6), done by its {@link StorageQueue}.
 */
final class BlkRequestHandler implements QueueHandler {
    private final BlkDevice device;
    private final QueueRunner runner;
    private final Storage backend;
    private final WorkerPool workers;
    private final long features;
    private final StorageQueue queue;
    private final MemorySegment range = MemorySegment.ofArray(new long[BlkRequest.SEGMENT_BYTES / Long.BYTES]);

    BlkRequestHandler(
            BlkDevice device,
            QueueRunner runner,
            Storage backend,
            WorkerPool workers,
            boolean mayUseRing,
            long features) {
        this.device = device;
        this.runner = runner;
        this.backend = backend;
        this.workers = workers;
        this.features = features;
        queue = new StorageQueue(runner, mayUseRing);
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
            case BlkRequest.FLUSH ->
                start(task(chain).type(type).command(backend, 0).durable(true));
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
        if (queue.readCached(backend, chain, 0, offset, count)) {
            answer(chain, BlkRequest.STATUS_OK, count, 0);
            return;
        }
        StorageTask task = task(chain).type(BlkRequest.IN).read(backend, offset, count, 0);
        if (queue.tryNow(task)) {
            answer(chain, BlkRequest.STATUS_OK, count, 0);
        } else {
            start(task);
        }
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
        StorageTask task = task(chain)
                .type(BlkRequest.OUT)
                .write(backend, offset, count, BlkRequest.HEADER_BYTES)
                .durable(device.isWriteThrough(features));
        if (queue.tryNow(task)) {
            answer(chain, BlkRequest.STATUS_OK, 0, count);
        } else {
            start(task);
        }
    }

    private boolean isTransfer(long sector, long byteCount) {
        return byteCount % BlkRequest.SECTOR_BYTES == 0
                && BlkRange.isInside(sector, byteCount >> BlkRequest.SECTOR_SHIFT, backend.byteCount());
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
            start(task(chain).type(type).command(backend, count).durable(device.isWriteThrough(features)));
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
        BlkTask task = new BlkTask(this, queue, chain);
        chain.attachment(task);
        return task;
    }

    private void start(StorageTask task) {
        queue.start(task, workers);
    }

    @Override
    public void endBatch() {
        queue.endBatch();
    }

    @Override
    public boolean poll() {
        return queue.poll();
    }

    @Override
    public boolean hasWork() {
        return queue.hasWork();
    }

    @Override
    public void stopped() {
        queue.stopped();
    }

    /** A request has come to its end. */
    void finish(BlkTask task) {
        byte status = BlkRequest.STATUS_OK;
        if (task.result() != 0) {
            status = BlkRequest.STATUS_IOERR;
            device.reportError(task.type(), -task.result());
        }
        long done = status == BlkRequest.STATUS_OK ? task.byteCount() : 0;
        answer(task.chain(), status, task.isRead() ? done : 0, task.isWrite() ? done : 0);
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
