package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.FileIo;
import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Reads and writes that the host does without waiting (RWF_NOWAIT): what is in the page cache. For one queue, on its
 * thread; allocates nothing.
 */
final class CachedTransfers {
    private static final int READ_HEAD = Fuse.InHeader.BYTES + FuseFile.ReadIn.BYTES;
    private static final int WRITE_HEAD = Fuse.InHeader.BYTES + FuseFile.WriteIn.BYTES;

    /**
     * A longer copy would hold up the queue; to this one, some 50 µs, handing it to a worker and back adds as much. A guest
     * whose queue has 128 entries cuts what is longer than 496 KiB.
     */
    static final long MAX_BYTES = 512 << 10;

    private static final int ANSWER_BYTES = Fuse.OutHeader.BYTES + FuseFile.WriteOut.BYTES;

    private final FsExport export;
    private final MemorySegment answer = Arena.ofAuto().allocate(ANSWER_BYTES, Long.BYTES);

    /** Whether the host's file system has not refused such writes. */
    private boolean writes = true;

    CachedTransfers(FsExport export) {
        this.export = export;
    }

    /** The bytes of the answer, which is written; 0 where a worker has to do it. */
    long read(DescriptorChain chain) {
        int first = chain.readableCount();
        if (chain.readableBytes() < READ_HEAD || chain.segmentBytes(first) != Fuse.OutHeader.BYTES) {
            return 0;
        }
        long offset = chain.readLong(Fuse.InHeader.BYTES + FuseFile.ReadIn.OFFSET);
        long size = Integer.toUnsignedLong(chain.readInt(Fuse.InHeader.BYTES + FuseFile.ReadIn.SIZE));
        if (offset < 0 || size > MAX_BYTES || size != chain.writableBytes() - Fuse.OutHeader.BYTES || size == 0) {
            return 0;
        }
        Handle handle = export.handle(chain.readLong(Fuse.InHeader.BYTES + FuseFile.ReadIn.FH), false);
        if (handle == null) {
            return 0;
        }
        try {
            long got = FileIo.preadv2(
                    handle.raw(),
                    chain.iovecAddress(first + 1),
                    chain.segmentCount() - first - 1,
                    offset,
                    FileIo.RWF_NOWAIT);
            boolean whole = got == size || (got >= 0 && FileIo.sizeBytes(handle.raw()) <= offset + got);
            return whole ? answer(chain, Fuse.OutHeader.BYTES, got) : 0;
        } finally {
            handle.release();
        }
    }

    /** As {@link #read}. */
    long write(DescriptorChain chain) {
        if (!writes || chain.readableBytes() <= WRITE_HEAD || export.readOnly() || !export.isStarted()) {
            return 0;
        }
        long size = Integer.toUnsignedLong(chain.readInt(Fuse.InHeader.BYTES + FuseFile.WriteIn.SIZE));
        long offset = chain.readLong(Fuse.InHeader.BYTES + FuseFile.WriteIn.OFFSET);
        int flags = chain.readInt(Fuse.InHeader.BYTES + FuseFile.WriteIn.WRITE_FLAGS);
        int first = firstDataSegment(chain);
        if (first < 0
                || offset < 0
                || size > MAX_BYTES
                || size != chain.readableBytes() - WRITE_HEAD
                || chain.writableBytes() < ANSWER_BYTES
                || (flags & FuseFlag.F_WRITE_KILL_SUIDGID) != 0) {
            return 0;
        }
        Handle handle = export.handle(chain.readLong(Fuse.InHeader.BYTES + FuseFile.WriteIn.FH), false);
        if (handle == null) {
            return 0;
        }
        try {
            // What appends moves with each try.
            if ((handle.flags() & FileIo.O_APPEND) != 0) {
                return 0;
            }
            long put = FileIo.pwritev2(
                    handle.raw(), chain.iovecAddress(first), chain.readableCount() - first, offset, FileIo.RWF_NOWAIT);
            writes = put != -Errno.EOPNOTSUPP;
            if (put != size) {
                return 0;
            }
            answer.set(FsThread.LE_LONG, Fuse.OutHeader.BYTES + FuseFile.WriteOut.SIZE, put);
            return answer(chain, ANSWER_BYTES, FuseFile.WriteOut.BYTES);
        } finally {
            handle.release();
        }
    }

    /** The segment that begins with the data; -1 where the data begins within one. */
    private static int firstDataSegment(DescriptorChain chain) {
        long before = 0;
        for (int i = 0; i < chain.readableCount() && before <= WRITE_HEAD; i++) {
            if (before == WRITE_HEAD) {
                return i;
            }
            before += chain.segmentBytes(i);
        }
        return -1;
    }

    private long answer(DescriptorChain chain, int writtenHere, long bodyBytes) {
        answer.set(FsThread.LE_INT, Fuse.OutHeader.LEN, (int) (Fuse.OutHeader.BYTES + bodyBytes));
        answer.set(FsThread.LE_INT, Fuse.OutHeader.ERROR, 0);
        answer.set(FsThread.LE_LONG, Fuse.OutHeader.UNIQUE, chain.readLong(Fuse.InHeader.UNIQUE));
        chain.write(0, answer, 0, writtenHere);
        return Fuse.OutHeader.BYTES + bodyBytes;
    }
}
