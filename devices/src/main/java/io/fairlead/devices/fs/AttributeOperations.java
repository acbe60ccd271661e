package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.linux.ThreadIdentity;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Requests about attributes: those of every file, extended ones, and the file system's. Each method answers one request
 * and returns the bytes of the answer's body or a negative error number.
 */
final class AttributeOperations {
    private static final byte[] USER = "user.".getBytes(StandardCharsets.US_ASCII);
    private static final long TIMESPEC_NANOS = 8;
    private static final long TIMESPEC_BYTES = 16;
    private static final int MAX_NAME_BYTES = FsThread.MAX_NAME_BYTES;

    private final FsExport export;

    AttributeOperations(FsExport export) {
        this.export = export;
    }

    int get(FsThread thread) {
        int error = status(thread);
        return error < 0 ? error : export.attributes().answer(thread);
    }

    int getExtended(FsThread thread) {
        int error = status(thread);
        return error < 0 ? error : export.attributes().extendedAnswer(thread);
    }

    private int status(FsThread thread) {
        Inode inode = export.pin(thread, thread.nodeId());
        if (inode == null) {
            return thread.missing;
        }
        try {
            return thread.status(inode.raw());
        } finally {
            inode.letGo();
        }
    }

    int set(FsThread thread) {
        if (!thread.has(FuseAttribute.SetattrIn.BYTES)) {
            return -Errno.EINVAL;
        }
        int valid = thread.argument(FuseAttribute.SetattrIn.VALID);
        Inode inode = export.pin(thread, thread.nodeId());
        if (inode == null) {
            return thread.missing;
        }
        Handle handle = (valid & FuseFlag.FATTR_FH) == 0
                ? null
                : export.handle(thread.longArgument(FuseAttribute.SetattrIn.FH), false);
        try {
            int error = setOwner(thread, inode, valid);
            if (error == 0 && (valid & FuseFlag.FATTR_MODE) != 0) {
                error = FolderIo.chmod(thread.path(inode.raw()), thread.argument(FuseAttribute.SetattrIn.MODE) & 07777);
            }
            if (error == 0 && (valid & FuseFlag.FATTR_SIZE) != 0) {
                error = setSize(thread, inode, handle, (valid & FuseFlag.FATTR_KILL_SUIDGID) != 0);
            }
            if (error == 0) {
                error = setTimes(thread, inode, valid);
            }
            if (error == 0) {
                error = thread.status(inode.raw());
            }
            return error < 0 ? error : export.attributes().answer(thread);
        } finally {
            inode.letGo();
            if (handle != null) {
                handle.release();
            }
        }
    }

    private int setOwner(FsThread thread, Inode inode, int valid) {
        if ((valid & (FuseFlag.FATTR_UID | FuseFlag.FATTR_GID)) == 0) {
            return 0;
        }
        int uid = -1;
        int gid = -1;
        if ((valid & FuseFlag.FATTR_UID) != 0) {
            uid = export.settings().users().toHost(thread.argument(FuseAttribute.SetattrIn.UID));
            if (uid == IdMap.NONE) {
                return -Errno.EPERM;
            }
        }
        if ((valid & FuseFlag.FATTR_GID) != 0) {
            gid = export.settings().groups().toHost(thread.argument(FuseAttribute.SetattrIn.GID));
            if (gid == IdMap.NONE) {
                return -Errno.EPERM;
            }
        }
        return FolderIo.fchownat(inode.raw(), thread.emptyName(), uid, gid, FolderIo.AT_EMPTY_PATH);
    }

    private static int setSize(FsThread thread, Inode inode, @Nullable Handle handle, boolean killPrivileges) {
        if (!inode.isRegular()) {
            return inode.isFolder() ? -Errno.EISDIR : -Errno.EINVAL;
        }
        long size = thread.longArgument(FuseAttribute.SetattrIn.SIZE);
        if (size < 0) {
            return -Errno.EFBIG;
        }
        // Without this capability the kernel takes the bits away as it does for an ordinary user.
        boolean dropped = killPrivileges && ThreadIdentity.capability(ThreadIdentity.CAP_FSETID, false) == 0;
        try {
            return handle != null && handle.inode() == inode && handle.isWritable()
                    ? FileIo.ftruncate(handle.raw(), size)
                    : FolderIo.truncate(thread.path(inode.raw()), size);
        } finally {
            if (dropped) {
                int _ = ThreadIdentity.capability(ThreadIdentity.CAP_FSETID, true);
            }
        }
    }

    private static int setTimes(FsThread thread, Inode inode, int valid) {
        if ((valid & (FuseFlag.FATTR_ATIME | FuseFlag.FATTR_MTIME)) == 0) {
            return 0;
        }
        time(
                thread,
                0,
                (valid & FuseFlag.FATTR_ATIME) != 0,
                (valid & FuseFlag.FATTR_ATIME_NOW) != 0,
                FuseAttribute.SetattrIn.ATIME,
                FuseAttribute.SetattrIn.ATIMENSEC);
        time(
                thread,
                TIMESPEC_BYTES,
                (valid & FuseFlag.FATTR_MTIME) != 0,
                (valid & FuseFlag.FATTR_MTIME_NOW) != 0,
                FuseAttribute.SetattrIn.MTIME,
                FuseAttribute.SetattrIn.MTIMENSEC);
        return FolderIo.utimensat(inode.raw(), thread.emptyName(), thread.small.address(), FolderIo.AT_EMPTY_PATH);
    }

    private static void time(FsThread thread, long at, boolean given, boolean now, int seconds, int nanos) {
        MemorySegment times = thread.small;
        times.set(ValueLayout.JAVA_LONG, at, thread.longArgument(seconds));
        long value = Integer.toUnsignedLong(thread.argument(nanos));
        if (!given) {
            value = FolderIo.UTIME_OMIT;
        } else if (now) {
            value = FolderIo.UTIME_NOW;
        }
        times.set(ValueLayout.JAVA_LONG, at + TIMESPEC_NANOS, value);
    }

    /** Whether a process of the guest may do something, by the permissions alone. */
    int access(FsThread thread) {
        if (!thread.has(FuseAttribute.AccessIn.BYTES)) {
            return -Errno.EINVAL;
        }
        int error = status(thread);
        if (error < 0) {
            return error;
        }
        int wanted = thread.argument(FuseAttribute.AccessIn.MASK) & 7;
        int mode = thread.statusMode();
        if (export.readOnly() && (wanted & 2) != 0) {
            return -Errno.EROFS;
        }
        if (thread.uid() == 0) {
            boolean runs = (mode & 0111) != 0 || (mode & FolderIo.S_IFMT) == FolderIo.S_IFDIR;
            return (wanted & 1) == 0 || runs ? 0 : -Errno.EACCES;
        }
        int allowed = mode & 7;
        if (export.settings().users().toGuest(thread.statusInt(FolderIo.STATX_OFFSET_UID)) == thread.uid()) {
            allowed = (mode >> 6) & 7;
        } else if (export.settings().groups().toGuest(thread.statusInt(FolderIo.STATX_OFFSET_GID)) == thread.gid()) {
            allowed = (mode >> 3) & 7;
        }
        return (wanted & ~allowed) == 0 ? 0 : -Errno.EACCES;
    }

    int readLink(FsThread thread) {
        Inode inode = export.pin(thread, thread.nodeId());
        if (inode == null) {
            return thread.missing;
        }
        try {
            return inode.type() != FolderIo.S_IFLNK
                    ? -Errno.EINVAL
                    : (int) FolderIo.readlinkat(inode.raw(), thread.emptyName(), thread.bodyAddress(0), thread.outRoom);
        } finally {
            inode.letGo();
        }
    }

    int fileSystem(FsThread thread) {
        Inode inode = export.pin(thread, thread.nodeId());
        if (inode == null) {
            return thread.missing;
        }
        try {
            MemorySegment statfs = thread.small;
            int error = FolderIo.fstatfs(inode.raw(), statfs.address());
            if (error < 0) {
                return error;
            }
            thread.clear(0, FuseAttribute.Kstatfs.BYTES);
            thread.putLong(
                    FuseAttribute.Kstatfs.BLOCKS, statfs.get(ValueLayout.JAVA_LONG, FolderIo.STATFS_OFFSET_BLOCKS));
            thread.putLong(
                    FuseAttribute.Kstatfs.BFREE, statfs.get(ValueLayout.JAVA_LONG, FolderIo.STATFS_OFFSET_BFREE));
            thread.putLong(
                    FuseAttribute.Kstatfs.BAVAIL, statfs.get(ValueLayout.JAVA_LONG, FolderIo.STATFS_OFFSET_BAVAIL));
            thread.putLong(
                    FuseAttribute.Kstatfs.FILES, statfs.get(ValueLayout.JAVA_LONG, FolderIo.STATFS_OFFSET_FILES));
            thread.putLong(
                    FuseAttribute.Kstatfs.FFREE, statfs.get(ValueLayout.JAVA_LONG, FolderIo.STATFS_OFFSET_FFREE));
            thread.putInt(
                    FuseAttribute.Kstatfs.BSIZE, (int) statfs.get(ValueLayout.JAVA_LONG, FolderIo.STATFS_OFFSET_BSIZE));
            thread.putInt(FuseAttribute.Kstatfs.NAMELEN, (int)
                    statfs.get(ValueLayout.JAVA_LONG, FolderIo.STATFS_OFFSET_NAMELEN));
            thread.putInt(FuseAttribute.Kstatfs.FRSIZE, (int)
                    statfs.get(ValueLayout.JAVA_LONG, FolderIo.STATFS_OFFSET_FRSIZE));
            return FuseAttribute.Kstatfs.BYTES;
        } finally {
            inode.letGo();
        }
    }

    // ---- extended attributes ----

    /** Whether the guest has the attribute whose name is at an offset. */
    private int checkName(FsThread thread, int offset) {
        int length = thread.textBytes(offset);
        if (length < 1 || length > MAX_NAME_BYTES) {
            return -Errno.ERANGE;
        }
        return switch (export.settings().xattr()) {
            case ALL -> 0;
            case OFF -> -Errno.EOPNOTSUPP;
            case USER -> isUser(thread.in, Fuse.InHeader.BYTES + offset) ? 0 : -Errno.EOPNOTSUPP;
        };
    }

    private static boolean isUser(MemorySegment names, long offset) {
        for (int i = 0; i < USER.length; i++) {
            if (names.get(ValueLayout.JAVA_BYTE, offset + i) != USER[i]) {
                return false;
            }
        }
        return true;
    }

    int setExtra(FsThread thread) {
        if (!thread.has(FuseAttribute.SetxattrIn.COMPAT_BYTES)) {
            return -Errno.EINVAL;
        }
        int offset = FuseAttribute.SetxattrIn.COMPAT_BYTES;
        int error = checkName(thread, offset);
        if (error < 0) {
            return error;
        }
        int valueOffset = offset + thread.textBytes(offset) + 1;
        int size = thread.argument(FuseAttribute.SetxattrIn.SIZE);
        int flags = thread.argument(FuseAttribute.SetxattrIn.FLAGS);
        if (size < 0 || size > FsThread.MAX_XATTR_BYTES || !thread.has(valueOffset + size)) {
            return -Errno.E2BIG;
        }
        return onFile(thread, path ->
                (long) FolderIo.setxattr(path, thread.address(offset), thread.address(valueOffset), size, flags));
    }

    int removeExtra(FsThread thread) {
        int error = checkName(thread, 0);
        return error < 0 ? error : onFile(thread, path -> (long) FolderIo.removexattr(path, thread.address(0)));
    }

    int getExtra(FsThread thread) {
        if (!thread.has(FuseAttribute.GetxattrIn.BYTES)) {
            return -Errno.EINVAL;
        }
        int error = checkName(thread, FuseAttribute.GetxattrIn.BYTES);
        if (error < 0) {
            return error;
        }
        int capacity = capacity(thread);
        int result = onFile(
                thread,
                path -> FolderIo.getxattr(
                        path, thread.address(FuseAttribute.GetxattrIn.BYTES), thread.bodyAddress(0), capacity));
        return sized(thread, result, capacity);
    }

    int listExtra(FsThread thread) {
        if (!thread.has(FuseAttribute.GetxattrIn.BYTES)) {
            return -Errno.EINVAL;
        }
        if (export.settings().xattr() == FsSettings.Xattr.OFF) {
            return -Errno.EOPNOTSUPP;
        }
        // All names, also where only the size is wanted: those that the guest does not have are not counted.
        int result = onFile(thread, path -> FolderIo.listxattr(path, thread.bodyAddress(0), FsThread.MAX_XATTR_BYTES));
        int asked = thread.argument(FuseAttribute.GetxattrIn.SIZE);
        if (result > 0 && export.settings().xattr() == FsSettings.Xattr.USER) {
            result = keepUser(thread, result);
        }
        if (asked == 0) {
            return sized(thread, result, 0);
        }
        return result > capacity(thread) ? -Errno.ERANGE : result;
    }

    private static int keepUser(FsThread thread, int byteCount) {
        MemorySegment names = thread.out.asSlice(Fuse.OutHeader.BYTES);
        int kept = 0;
        int start = 0;
        for (int at = 0; at < byteCount; at++) {
            if (names.get(ValueLayout.JAVA_BYTE, at) == 0) {
                int length = at + 1 - start;
                if (length > USER.length && isUser(names, start)) {
                    MemorySegment.copy(names, start, names, kept, length);
                    kept += length;
                }
                start = at + 1;
            }
        }
        return kept;
    }

    private static int capacity(FsThread thread) {
        int asked = thread.argument(FuseAttribute.GetxattrIn.SIZE);
        return asked < 0 ? thread.outRoom : Math.min(asked, thread.outRoom);
    }

    /** Answers with the value that is in the body, or with its size where that was asked for. */
    private static int sized(FsThread thread, int result, int capacity) {
        if (result < 0 || capacity > 0) {
            return result;
        }
        thread.putLong(FuseAttribute.GetxattrOut.SIZE, result);
        return FuseAttribute.GetxattrOut.BYTES;
    }

    /** A system call on a file's path. */
    @FunctionalInterface
    private interface PathCall {
        long on(long path);
    }

    private int onFile(FsThread thread, PathCall call) {
        Inode inode = export.pin(thread, thread.nodeId());
        if (inode == null) {
            return thread.missing;
        }
        try {
            return (int) call.on(thread.path(inode.raw()));
        } finally {
            inode.letGo();
        }
    }
}
