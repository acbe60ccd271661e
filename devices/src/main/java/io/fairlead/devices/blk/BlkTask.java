package io.fairlead.devices.blk;

import io.fairlead.devices.storage.StorageQueue;
import io.fairlead.devices.storage.StorageTask;
import io.fairlead.linux.Errno;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.MemorySegment;

/** One request that may wait for the storage. One a slot of the queue. */
final class BlkTask extends StorageTask {
    private final BlkRequestHandler handler;
    private int type;

    BlkTask(BlkRequestHandler handler, StorageQueue queue, DescriptorChain chain) {
        super(queue, chain);
        this.handler = handler;
    }

    /** The request's type, which the task was filled in for. */
    BlkTask type(int newType) {
        type = newType;
        return this;
    }

    int type() {
        return type;
    }

    @Override
    protected int runCommand() {
        return type == BlkRequest.FLUSH ? 0 : ranges();
    }

    @Override
    protected void answer() {
        handler.finish(this);
    }

    /** DISCARD and WRITE_ZEROES; all ranges were checked when the request was taken, and are again: the guest may write. */
    private int ranges() {
        MemorySegment range = MemorySegment.ofArray(new long[BlkRequest.SEGMENT_BYTES / Long.BYTES]);
        for (long at = 0; at < byteCount(); at += BlkRequest.SEGMENT_BYTES) {
            chain().read(BlkRequest.HEADER_BYTES + at, range, 0, BlkRequest.SEGMENT_BYTES);
            long sector = BlkRange.sector(range);
            long sectorCount = BlkRange.sectorCount(range);
            if (!BlkRange.isInside(sector, sectorCount, storage().byteCount())) {
                return -Errno.EINVAL;
            }
            int error = 0;
            if (sectorCount > 0) {
                long from = sector << BlkRequest.SECTOR_SHIFT;
                long bytes = sectorCount << BlkRequest.SECTOR_SHIFT;
                error = type == BlkRequest.DISCARD
                        ? storage().discard(from, bytes)
                        : storage().writeZeroes(from, bytes, BlkRange.unmap(range));
            }
            if (error < 0) {
                return error;
            }
        }
        return 0;
    }
}
