package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.linux.ThreadIdentity;
import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Requests about open files. Each method answers one request and returns the bytes of the answer's body or a negative
 * error number; what is read and written goes straight between the file and guest memory.
 */
final class FileOperations {
    /** What of a guest's flags means something for the host's descriptor. */
    private static final int KEPT_FLAGS =
            FileIo.O_WRONLY | FileIo.O_RDWR | FileIo.O_TRUNC | FileIo.O_APPEND | FileIo.O_SYNC | FileIo.O_NOATIME;

    private static final int ACCESS_MODE = 3;

    /** The most that the kernel reads, writes or copies at once. */
    private static final long MAX_IO_BYTES = 0x7fff_f000L;

    private static final int FALLOCATE_MODES =
            FileIo.FALLOC_FL_KEEP_SIZE | FileIo.FALLOC_FL_PUNCH_HOLE | FileIo.FALLOC_FL_ZERO_RANGE;

    private final FsExport export;
    private final LockOperations locks;

    FileOperations(FsExport export, LockOperations locks) {
        this.export = export;
        this.locks = locks;
    }

    // ---- open and close ----

    /** The host's flags for those of the guest. */
    static int flags(FsExport export, int asked) {
        int flags = asked & KEPT_FLAGS;
        if (export.has(FuseFlag.F_WRITEBACK_CACHE)) {
            // The guest says itself where it writes, and fills its pages by reading.
            flags &= ~FileIo.O_APPEND;
            if ((flags & ACCESS_MODE) == FileIo.O_WRONLY) {
                flags = (flags & ~ACCESS_MODE) | FileIo.O_RDWR;
            }
        }
        return flags;
    }

    /** The flags for a file that was open before. */
    static int reopened(int flags) {
        return flags & KEPT_FLAGS & ~FileIo.O_TRUNC;
    }

    /** Opens a regular file again from the descriptor that holds it; a descriptor or a negative error number. */
    static int open(FsThread thread, Inode inode, int flags) {
        if (!inode.isRegular()) {
            // The guest's kernel serves devices and pipes itself; opening the host's would do more than reading a file.
            return inode.isFolder() ? -Errno.EISDIR : -Errno.ENXIO;
        }
        return FolderIo.open(thread.path(inode.raw()), flags);
    }

    int open(FsThread thread) {
        if (!thread.has(FuseFile.OpenIn.BYTES)) {
            return -Errno.EINVAL;
        }
        int flags = flags(export, thread.argument(FuseFile.OpenIn.FLAGS));
        if (export.readOnly() && (flags & (ACCESS_MODE | FileIo.O_TRUNC)) != 0) {
            return -Errno.EROFS;
        }
        Inode inode = export.pin(thread, thread.nodeId());
        if (inode == null) {
            return thread.missing;
        }
        boolean kills = (thread.argument(FuseFile.OpenIn.OPEN_FLAGS) & FuseFlag.F_OPEN_KILL_SUIDGID) != 0;
        boolean dropped = kills && ThreadIdentity.capability(ThreadIdentity.CAP_FSETID, false) == 0;
        try {
            int raw = open(thread, inode, flags);
            long handle = raw < 0 ? raw : export.opened(raw, inode, flags);
            return handle < 0 ? (int) handle : openAnswer(export, thread, 0, handle);
        } finally {
            inode.letGo();
            if (dropped) {
                int _ = ThreadIdentity.capability(ThreadIdentity.CAP_FSETID, true);
            }
        }
    }

    /** Writes {@code struct fuse_open_out} of a file. */
    static int openAnswer(FsExport export, FsThread thread, int offset, long handle) {
        thread.putLong(offset + FuseFile.OpenOut.FH, handle);
        int flags = switch (export.settings().cache()) {
            case NEVER -> FuseFlag.FOPEN_DIRECT_IO | FuseFlag.FOPEN_PARALLEL_DIRECT_WRITES;
            case AUTO -> 0;
            case ALWAYS -> FuseFlag.FOPEN_KEEP_CACHE;
        };
        thread.putLong(offset + FuseFile.OpenOut.OPEN_FLAGS, flags);
        return FuseFile.OpenOut.BYTES;
    }

    /** Closes a file or folder. */
    int release(FsThread thread, boolean folder) {
        if (!thread.has(FuseFile.ReleaseIn.BYTES)) {
            return -Errno.EINVAL;
        }
        Handle handle = export.handle(thread.longArgument(FuseFile.ReleaseIn.FH), folder);
        if (handle == null) {
            return -Errno.EBADF;
        }
        if (!folder) {
            locks.closed(handle, thread.longArgument(FuseFile.ReleaseIn.LOCK_OWNER));
        }
        if (export.handles().remove(handle)) {
            handle.release();
        }
        handle.release();
        return 0;
    }

    /** A process of the guest closes one of its descriptors, and with it loses its locks on ranges of the file. */
    int flush(FsThread thread) {
        if (!thread.has(FuseFile.FlushIn.BYTES)) {
            return -Errno.EINVAL;
        }
        Handle handle = export.handle(thread.longArgument(FuseFile.FlushIn.FH), false);
        if (handle == null) {
            return -Errno.EBADF;
        }
        try {
            locks.flushed(handle.inode(), thread.longArgument(FuseFile.FlushIn.LOCK_OWNER));
            return 0;
        } finally {
            handle.release();
        }
    }

    int sync(FsThread thread, boolean folder) {
        if (!thread.has(FuseFile.FsyncIn.BYTES)) {
            return -Errno.EINVAL;
        }
        Handle handle = export.handle(thread.longArgument(FuseFile.FsyncIn.FH), folder);
        if (handle == null) {
            return -Errno.EBADF;
        }
        try {
            return (thread.argument(FuseFile.FsyncIn.FSYNC_FLAGS) & FuseFlag.F_FSYNC_FDATASYNC) != 0
                    ? FileIo.fdatasync(handle.raw())
                    : FileIo.fsync(handle.raw());
        } finally {
            handle.release();
        }
    }

    int syncFileSystem() {
        return FileIo.syncfs(export.rootRaw());
    }

    // ---- data ----

    /** Reads into the guest's memory behind the answer's header; the bytes read. */
    int read(FsThread thread) {
        if (!thread.has(FuseFile.ReadIn.BYTES)) {
            return -Errno.EINVAL;
        }
        Handle handle = export.handle(thread.longArgument(FuseFile.ReadIn.FH), false);
        if (handle == null) {
            return -Errno.EBADF;
        }
        try {
            long offset = thread.longArgument(FuseFile.ReadIn.OFFSET);
            long wanted = Integer.toUnsignedLong(thread.argument(FuseFile.ReadIn.SIZE));
            DescriptorChain chain = thread.chain;
            long count = Math.min(Math.min(wanted, MAX_IO_BYTES), chain.writableBytes() - Fuse.OutHeader.BYTES);
            return transfer(
                    thread,
                    handle,
                    chain.readableCount(),
                    chain.segmentCount(),
                    Fuse.OutHeader.BYTES,
                    count,
                    offset,
                    false);
        } finally {
            handle.release();
        }
    }

    int write(FsThread thread) {
        if (!thread.has(FuseFile.WriteIn.BYTES)) {
            return -Errno.EINVAL;
        }
        Handle handle = export.handle(thread.longArgument(FuseFile.WriteIn.FH), false);
        if (handle == null) {
            return -Errno.EBADF;
        }
        boolean kills = (thread.argument(FuseFile.WriteIn.WRITE_FLAGS) & FuseFlag.F_WRITE_KILL_SUIDGID) != 0;
        boolean dropped = kills && ThreadIdentity.capability(ThreadIdentity.CAP_FSETID, false) == 0;
        try {
            long offset = thread.longArgument(FuseFile.WriteIn.OFFSET);
            long count = Integer.toUnsignedLong(thread.argument(FuseFile.WriteIn.SIZE));
            DescriptorChain chain = thread.chain;
            int header = Fuse.InHeader.BYTES + FuseFile.WriteIn.BYTES;
            if (count > MAX_IO_BYTES || count > chain.readableBytes() - header) {
                return -Errno.EINVAL;
            }
            int written = transfer(thread, handle, 0, chain.readableCount(), header, count, offset, true);
            if (written < 0) {
                return written;
            }
            thread.putLong(FuseFile.WriteOut.SIZE, written);
            return FuseFile.WriteOut.BYTES;
        } finally {
            handle.release();
            if (dropped) {
                int _ = ThreadIdentity.capability(ThreadIdentity.CAP_FSETID, true);
            }
        }
    }

    /**
     * Reads or writes as much as the file lets.
     *
     * @param skip bytes of the segments before the data
     */
    private static int transfer(
            FsThread thread,
            Handle handle,
            int firstSegment,
            int endSegment,
            int skip,
            long byteCount,
            long offset,
            boolean write) {
        if (offset < 0) {
            return -Errno.EINVAL;
        }
        long done = 0;
        while (done < byteCount) {
            int vectors = vectors(thread, firstSegment, endSegment, skip + done, byteCount - done);
            long now = write
                    ? FileIo.pwritev2(handle.raw(), thread.iovec.address(), vectors, offset + done, 0)
                    : FileIo.preadv2(handle.raw(), thread.iovec.address(), vectors, offset + done, 0);
            if (now <= 0) {
                return done > 0 || now == 0 ? (int) done : (int) now;
            }
            done += now;
        }
        return (int) done;
    }

    /** Lays the vectors of part of the chain's bytes; how many they are. */
    static int vectors(FsThread thread, int firstSegment, int endSegment, long skip, long byteCount) {
        DescriptorChain chain = thread.chain;
        MemorySegment iovec = thread.iovec;
        long toSkip = skip;
        long left = byteCount;
        int count = 0;
        for (int i = firstSegment; i < endSegment && left > 0; i++) {
            long size = chain.segmentBytes(i);
            if (toSkip >= size) {
                toSkip -= size;
                continue;
            }
            long here = Math.min(left, size - toSkip);
            iovec.set(ValueLayout.JAVA_LONG, 16L * count, chain.segmentHostAddress(i) + toSkip);
            iovec.set(ValueLayout.JAVA_LONG, 16L * count + 8, here);
            count++;
            left -= here;
            toSkip = 0;
        }
        return count;
    }

    int allocate(FsThread thread) {
        if (!thread.has(FuseFile.FallocateIn.BYTES)) {
            return -Errno.EINVAL;
        }
        int mode = thread.argument(FuseFile.FallocateIn.MODE);
        if ((mode & ~FALLOCATE_MODES) != 0) {
            return -Errno.EOPNOTSUPP;
        }
        Handle handle = export.handle(thread.longArgument(FuseFile.FallocateIn.FH), false);
        if (handle == null) {
            return -Errno.EBADF;
        }
        try {
            return FileIo.fallocate(
                    handle.raw(),
                    mode,
                    thread.longArgument(FuseFile.FallocateIn.OFFSET),
                    thread.longArgument(FuseFile.FallocateIn.LENGTH));
        } finally {
            handle.release();
        }
    }

    /** The next data or hole. */
    int seek(FsThread thread) {
        if (!thread.has(FuseFile.LseekIn.BYTES)) {
            return -Errno.EINVAL;
        }
        int whence = thread.argument(FuseFile.LseekIn.WHENCE);
        if (whence != FileIo.SEEK_DATA && whence != FileIo.SEEK_HOLE) {
            return -Errno.EINVAL;
        }
        Handle handle = export.handle(thread.longArgument(FuseFile.LseekIn.FH), false);
        if (handle == null) {
            return -Errno.EBADF;
        }
        try {
            long found = FileIo.lseek(handle.raw(), thread.longArgument(FuseFile.LseekIn.OFFSET), whence);
            if (found < 0) {
                return (int) found;
            }
            thread.putLong(FuseFile.LseekIn.FH, found);
            return Long.BYTES;
        } finally {
            handle.release();
        }
    }

    int copy(FsThread thread) {
        if (!thread.has(FuseFile.CopyFileRangeIn.BYTES)) {
            return -Errno.EINVAL;
        }
        if (thread.longArgument(FuseFile.CopyFileRangeIn.FLAGS) != 0) {
            return -Errno.EINVAL;
        }
        Handle from = export.handle(thread.longArgument(FuseFile.CopyFileRangeIn.FH_IN), false);
        Handle to = export.handle(thread.longArgument(FuseFile.CopyFileRangeIn.FH_OUT), false);
        try {
            if (from == null || to == null) {
                return -Errno.EBADF;
            }
            thread.small.set(ValueLayout.JAVA_LONG, 0, thread.longArgument(FuseFile.CopyFileRangeIn.OFF_IN));
            thread.small.set(ValueLayout.JAVA_LONG, 8, thread.longArgument(FuseFile.CopyFileRangeIn.OFF_OUT));
            long length = thread.longArgument(FuseFile.CopyFileRangeIn.LEN);
            long count = length < 0 ? MAX_IO_BYTES : Math.min(length, MAX_IO_BYTES);
            long copied = FileIo.copyFileRange(from.raw(), to.raw(), thread.small.address(), count);
            if (copied < 0) {
                return (int) copied;
            }
            thread.putLong(FuseFile.WriteOut.SIZE, copied);
            return FuseFile.WriteOut.BYTES;
        } finally {
            if (from != null) {
                from.release();
            }
            if (to != null) {
                to.release();
            }
        }
    }
}
