package io.fairlead.devices.blk;

import io.fairlead.devices.base.CompletionQueue;
import io.fairlead.devices.base.WorkerTask;
import io.fairlead.linux.Errno;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/** One request that may wait for the storage: what a worker does for it, and what came of it. One a slot of the queue. */
final class BlkTask extends WorkerTask {
    /** The most that is copied at once where a request's memory is unfit for the storage. */
    private static final int COPY_BYTES = 1 << 20;

    private static final int COPY_ALIGNMENT_BYTES = 4096;

    private final BlkRequestHandler handler;
    private final BlkBackend backend;
    private final CompletionQueue completions;
    private final DescriptorChain chain;

    private int type;
    private int ringIndex = -1;
    private long offset;
    private long byteCount;
    private boolean durable;

    /** First segment of the data and their number; 0 segments where data begins or ends inside one, or is misaligned. */
    private int firstSegment;

    private int segmentCount;

    /** 0 or a negative error number. */
    private int result;

    /** An error of the code or of the guest's memory. */
    private @Nullable Throwable fault;

    BlkTask(BlkRequestHandler handler, BlkBackend backend, CompletionQueue completions, DescriptorChain chain) {
        this.handler = handler;
        this.backend = backend;
        this.completions = completions;
        this.chain = chain;
    }

    /** Fills in a read or a write. */
    BlkTask transfer(int newType, long newOffset, long newByteCount, int newFirstSegment, int newSegmentCount) {
        type = newType;
        offset = newOffset;
        byteCount = newByteCount;
        firstSegment = newFirstSegment;
        segmentCount = newSegmentCount;
        durable = false;
        return this;
    }

    /** Fills in a request whose data the worker reads itself: DISCARD and WRITE_ZEROES; or FLUSH, which has none. */
    BlkTask command(int newType, long newByteCount) {
        return transfer(newType, 0, newByteCount, 0, 0);
    }

    /** Has what the request writes made durable before it completes. */
    BlkTask durable(boolean newDurable) {
        durable = newDurable;
        return this;
    }

    DescriptorChain chain() {
        return chain;
    }

    int type() {
        return type;
    }

    long byteCount() {
        return byteCount;
    }

    long offset() {
        return offset;
    }

    boolean isDurable() {
        return durable;
    }

    /** Host address of the data's vectors. */
    long iovecAddress() {
        return chain.iovecAddress(firstSegment);
    }

    /** Number of the data's vectors; 0 where the data has to be copied. */
    int iovecCount() {
        return segmentCount;
    }

    /** The task's number in its queue's ring; -1 before it has one. */
    int ringIndex() {
        return ringIndex;
    }

    void ringIndex(int index) {
        ringIndex = index;
    }

    /** Ends a transfer that another than a worker has done. */
    BlkTask ended(int newResult) {
        result = newResult;
        fault = null;
        return this;
    }

    int result() {
        return result;
    }

    @Nullable
    Throwable fault() {
        return fault;
    }

    @Override
    protected void run() {
        fault = null;
        if (handler.isFrozen()) {
            // What was not begun need not be waited for.
            completions.add(this);
            return;
        }
        try {
            result = switch (type) {
                case BlkRequest.IN -> read();
                case BlkRequest.OUT -> write();
                case BlkRequest.FLUSH -> 0;
                default -> ranges();
            };
            if (result == 0 && durable) {
                result = backend.flush();
            }
        } catch (RuntimeException | Error e) {
            fault = e;
            result = -Errno.EIO;
        }
        completions.add(this);
    }

    @Override
    protected void finish() {
        handler.finish(this);
    }

    private int read() {
        if (segmentCount > 0) {
            long got = backend.read(chain.iovecAddress(firstSegment), segmentCount, offset);
            if (got == byteCount) {
                return 0;
            }
            if (got < 0) {
                return (int) got;
            }
        }
        return copy(false);
    }

    private int write() {
        if (segmentCount > 0) {
            long put = backend.write(chain.iovecAddress(firstSegment), segmentCount, offset);
            if (put == byteCount) {
                return 0;
            }
            if (put < 0) {
                return (int) put;
            }
        }
        return copy(true);
    }

    /** The whole request from its start by way of memory that any storage can use. */
    private int copy(boolean out) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment iovec = arena.allocate(16, 8);
            MemorySegment buffer = arena.allocate(Math.min(byteCount, COPY_BYTES), COPY_ALIGNMENT_BYTES);
            for (long done = 0; done < byteCount; done += buffer.byteSize()) {
                int here = (int) Math.min(byteCount - done, buffer.byteSize());
                int error = out ? copyOut(buffer, iovec, done, here) : copyIn(buffer, iovec, done, here);
                if (error < 0) {
                    return error;
                }
            }
        }
        return 0;
    }

    private int copyIn(MemorySegment buffer, MemorySegment iovec, long at, int count) {
        for (int done = 0; done < count; ) {
            vector(iovec, buffer.address() + done, count - done);
            long got = backend.read(iovec.address(), 1, offset + at + done);
            if (got < 0) {
                return (int) got;
            }
            done += (int) got;
        }
        chain.write(at, buffer, 0, count);
        return 0;
    }

    private int copyOut(MemorySegment buffer, MemorySegment iovec, long at, int count) {
        chain.read(BlkRequest.HEADER_BYTES + at, buffer, 0, count);
        for (int done = 0; done < count; ) {
            vector(iovec, buffer.address() + done, count - done);
            long put = backend.write(iovec.address(), 1, offset + at + done);
            if (put <= 0) {
                return put == 0 ? -Errno.EIO : (int) put;
            }
            done += (int) put;
        }
        return 0;
    }

    private static void vector(MemorySegment iovec, long address, long count) {
        iovec.set(ValueLayout.JAVA_LONG, 0, address);
        iovec.set(ValueLayout.JAVA_LONG, 8, count);
    }

    /** DISCARD and WRITE_ZEROES; all ranges were checked when the request was taken, and are again: the guest may write. */
    private int ranges() {
        MemorySegment range = MemorySegment.ofArray(new long[BlkRequest.SEGMENT_BYTES / Long.BYTES]);
        for (long at = 0; at < byteCount; at += BlkRequest.SEGMENT_BYTES) {
            chain.read(BlkRequest.HEADER_BYTES + at, range, 0, BlkRequest.SEGMENT_BYTES);
            long sector = BlkRange.sector(range);
            long sectorCount = BlkRange.sectorCount(range);
            if (!BlkRange.isInside(sector, sectorCount, backend.byteCount())) {
                return -Errno.EINVAL;
            }
            int error = 0;
            if (sectorCount > 0) {
                long from = sector << BlkRequest.SECTOR_SHIFT;
                long bytes = sectorCount << BlkRequest.SECTOR_SHIFT;
                error = type == BlkRequest.DISCARD
                        ? backend.discard(from, bytes)
                        : backend.writeZeroes(from, bytes, BlkRange.unmap(range));
            }
            if (error < 0) {
                return error;
            }
        }
        return 0;
    }
}
