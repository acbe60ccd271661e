package io.fairlead.devices.storage;

import io.fairlead.devices.base.WorkerPool;
import io.fairlead.devices.base.WorkerTask;
import io.fairlead.linux.Errno;
import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One request that may wait for storage: a read or a write straight between guest memory and the storage, or a command of
 * the type's own, and what came of it. Made once a slot of the queue and filled in again for each request in it.
 *
 * <p>Filled in and answered on the queue's loop; run on a worker's thread.
 */
public abstract class StorageTask extends WorkerTask {
    /** The most that is copied at once where a request's memory is unfit for the storage. */
    private static final int COPY_BYTES = 1 << 20;

    private static final int COPY_ALIGNMENT_BYTES = 4096;

    /** What is done. */
    private enum Kind {
        READ,
        WRITE,
        COMMAND
    }

    private final StorageQueue queue;
    private final DescriptorChain chain;

    /** Of the request in this slot. */
    private @Nullable Storage storage;

    /** Who runs it where io_uring does not. */
    private @Nullable WorkerPool workers;

    private Kind kind = Kind.COMMAND;
    private int ringIndex = -1;
    private long offset;
    private long byteCount;

    /** Where the data begins, counted over the readable or the writable bytes. */
    private long dataOffset;

    private boolean durable;

    /** First segment of the data and their number; 0 segments where data begins or ends inside one, or is misaligned. */
    private int firstSegment;

    private int segmentCount;

    /** 0 or a negative error number. */
    private int result;

    /** An error of the code or of the guest's memory. */
    private @Nullable Throwable fault;

    protected StorageTask(StorageQueue queue, DescriptorChain chain) {
        this.queue = queue;
        this.chain = chain;
    }

    /**
     * Does a command; on a worker's thread, which may wait.
     *
     * @return 0 or a negative error number
     */
    protected abstract int runCommand();

    /** Answers the request, which has come to its end. On the queue's loop. */
    protected abstract void answer();

    /** The request is not under way any more, answered or not. On the queue's loop. */
    protected void ended() {}

    /** Fills in a read into the chain's writable bytes. */
    public final StorageTask read(Storage from, long newOffset, long newByteCount, long newDataOffset) {
        return fill(Kind.READ, from, newOffset, newByteCount, newDataOffset);
    }

    /** Fills in a write of the chain's readable bytes. */
    public final StorageTask write(Storage to, long newOffset, long newByteCount, long newDataOffset) {
        return fill(Kind.WRITE, to, newOffset, newByteCount, newDataOffset);
    }

    /** Fills in what {@link #runCommand} does. */
    public final StorageTask command(Storage with, long newByteCount) {
        return fill(Kind.COMMAND, with, 0, newByteCount, 0);
    }

    private StorageTask fill(Kind newKind, Storage newStorage, long newOffset, long newByteCount, long newDataOffset) {
        kind = newKind;
        storage = newStorage;
        offset = newOffset;
        byteCount = newByteCount;
        dataOffset = newDataOffset;
        firstSegment = 0;
        segmentCount = 0;
        durable = false;
        if (newKind != Kind.COMMAND) {
            locate(newKind == Kind.READ, newStorage.alignmentBytes() - 1);
        }
        return this;
    }

    /** Finds the segments that hold the data and nothing else, where the storage can use them as they lie. */
    private void locate(boolean writable, int alignmentMask) {
        int segment = writable ? chain.readableCount() : 0;
        int end = writable ? chain.segmentCount() : chain.readableCount();
        long skipped = 0;
        while (segment < end && skipped < dataOffset) {
            skipped += chain.segmentBytes(segment++);
        }
        if (skipped != dataOffset) {
            return;
        }
        int first = segment;
        long found = 0;
        long bits = 0;
        while (segment < end && found < byteCount) {
            bits |= chain.segmentHostAddress(segment) | chain.segmentBytes(segment);
            found += chain.segmentBytes(segment++);
        }
        if (found == byteCount && (bits & alignmentMask) == 0) {
            firstSegment = first;
            segmentCount = segment - first;
        }
    }

    /** Has what the request writes made durable before it completes. */
    public final StorageTask durable(boolean newDurable) {
        durable = newDurable;
        return this;
    }

    public final DescriptorChain chain() {
        return chain;
    }

    /** Whether the queue stopped without an answer to what is under way: a long command may end early. Any thread. */
    protected final boolean isFrozen() {
        return queue.isFrozen();
    }

    /** What the request is for. */
    protected final Storage storage() {
        Storage used = storage;
        if (used == null) {
            throw new IllegalStateException("no request in this slot yet");
        }
        return used;
    }

    final void workers(WorkerPool newWorkers) {
        workers = newWorkers;
    }

    final WorkerPool workers() {
        WorkerPool used = workers;
        if (used == null) {
            throw new IllegalStateException("not started");
        }
        return used;
    }

    public final boolean isRead() {
        return kind == Kind.READ;
    }

    public final boolean isWrite() {
        return kind == Kind.WRITE;
    }

    public final long byteCount() {
        return byteCount;
    }

    final long offset() {
        return offset;
    }

    final boolean isDurable() {
        return durable;
    }

    /** Host address of the data's vectors. */
    final long iovecAddress() {
        return chain.iovecAddress(firstSegment);
    }

    /** Number of the data's vectors; 0 where the data has to be copied. */
    final int iovecCount() {
        return segmentCount;
    }

    /** The task's number in its queue's ring; -1 before it has one. */
    final int ringIndex() {
        return ringIndex;
    }

    final void ringIndex(int index) {
        ringIndex = index;
    }

    /** Ends a transfer that another than a worker has done. */
    final void transferred(int newResult) {
        result = newResult;
        fault = null;
    }

    /** 0 or a negative error number. */
    public final int result() {
        return result;
    }

    final @Nullable Throwable fault() {
        return fault;
    }

    @Override
    protected final void run() {
        fault = null;
        if (queue.isFrozen()) {
            // What was not begun need not be waited for.
            queue.workerDone(this);
            return;
        }
        try {
            result = switch (kind) {
                case READ -> read();
                case WRITE -> write();
                case COMMAND -> runCommand();
            };
            if (result == 0 && durable) {
                result = storage().flush();
            }
        } catch (RuntimeException | Error e) {
            fault = e;
            result = -Errno.EIO;
        }
        queue.workerDone(this);
    }

    @Override
    protected final void finish() {
        queue.finish(this);
    }

    private int read() {
        if (segmentCount > 0) {
            long got = storage().read(iovecAddress(), segmentCount, offset);
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
            long put = storage().write(iovecAddress(), segmentCount, offset);
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
                if (out) {
                    chain.read(dataOffset + done, buffer, 0, here);
                }
                int error = out
                        ? StorageCopy.write(storage(), offset + done, buffer, iovec, here)
                        : StorageCopy.read(storage(), offset + done, buffer, iovec, here);
                if (error < 0) {
                    return error;
                }
                if (!out) {
                    chain.write(dataOffset + done, buffer, 0, here);
                }
            }
        }
        return 0;
    }
}
