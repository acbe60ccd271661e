package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Names and attributes of files, by the folder's descriptor and plain numbers: the methods return a count, a descriptor or
 * a negative error number, allocate nothing and throw nothing, as those of {@link FileIo}. Names, paths and buffers are
 * host addresses, not checked here; names end with a NUL.
 *
 * <p>Thread-safe.
 */
public final class FolderIo {
    /** For paths that do not begin at a folder's descriptor. */
    public static final int AT_FDCWD = -100;

    public static final int AT_SYMLINK_NOFOLLOW = 0x100;
    public static final int AT_REMOVEDIR = 0x200;
    public static final int AT_SYMLINK_FOLLOW = 0x400;
    public static final int AT_NO_AUTOMOUNT = 0x800;
    public static final int AT_EMPTY_PATH = 0x1000;
    public static final int AT_STATX_DONT_SYNC = 0x4000;

    /** How {@link #openat2} finds its way. */
    public static final int RESOLVE_NO_XDEV = 1;

    public static final int RESOLVE_NO_MAGICLINKS = 2;
    public static final int RESOLVE_NO_SYMLINKS = 4;
    public static final int RESOLVE_BENEATH = 8;
    public static final int RESOLVE_CACHED = 0x20;

    public static final int RENAME_NOREPLACE = 1;
    public static final int RENAME_EXCHANGE = 2;
    public static final int RENAME_WHITEOUT = 4;

    public static final int XATTR_CREATE = 1;
    public static final int XATTR_REPLACE = 2;

    public static final int STATX_BASIC_STATS = 0x7ff;
    public static final int STATX_BTIME = 0x800;
    public static final int STATX_ATTR_MOUNT_ROOT = 0x2000;

    public static final long UTIME_NOW = 0x3fffffff;
    public static final long UTIME_OMIT = 0x3ffffffe;

    public static final int S_IFMT = 0xf000;
    public static final int S_IFSOCK = 0xc000;
    public static final int S_IFLNK = 0xa000;
    public static final int S_IFREG = 0x8000;
    public static final int S_IFBLK = 0x6000;
    public static final int S_IFDIR = 0x4000;
    public static final int S_IFCHR = 0x2000;
    public static final int S_IFIFO = 0x1000;
    public static final int S_ISUID = 0x800;
    public static final int S_ISGID = 0x400;
    public static final int S_IXGRP = 8;

    /** Bytes of {@code struct statx} and where its fields are. */
    public static final int STATX_BYTES = 256;

    public static final int STATX_OFFSET_MASK = 0;
    public static final int STATX_OFFSET_BLKSIZE = 4;
    public static final int STATX_OFFSET_ATTRIBUTES = 8;
    public static final int STATX_OFFSET_NLINK = 16;
    public static final int STATX_OFFSET_UID = 20;
    public static final int STATX_OFFSET_GID = 24;
    public static final int STATX_OFFSET_MODE = 28;
    public static final int STATX_OFFSET_INO = 32;
    public static final int STATX_OFFSET_SIZE = 40;
    public static final int STATX_OFFSET_BLOCKS = 48;
    public static final int STATX_OFFSET_ATIME = 64;
    public static final int STATX_OFFSET_BTIME = 80;
    public static final int STATX_OFFSET_CTIME = 96;
    public static final int STATX_OFFSET_MTIME = 112;
    public static final int STATX_OFFSET_RDEV_MAJOR = 128;
    public static final int STATX_OFFSET_RDEV_MINOR = 132;
    public static final int STATX_OFFSET_DEV_MAJOR = 136;
    public static final int STATX_OFFSET_DEV_MINOR = 140;

    /** Bytes of {@code struct statfs} and where its fields are. */
    public static final int STATFS_BYTES = 120;

    public static final int STATFS_OFFSET_TYPE = 0;
    public static final int STATFS_OFFSET_BSIZE = 8;
    public static final int STATFS_OFFSET_BLOCKS = 16;
    public static final int STATFS_OFFSET_BFREE = 24;
    public static final int STATFS_OFFSET_BAVAIL = 32;
    public static final int STATFS_OFFSET_FILES = 40;
    public static final int STATFS_OFFSET_FFREE = 48;
    public static final int STATFS_OFFSET_NAMELEN = 64;
    public static final int STATFS_OFFSET_FRSIZE = 72;

    /** Where the fields of {@code struct linux_dirent64} are; the name ends with a NUL. */
    public static final int DIRENT_OFFSET_INO = 0;

    public static final int DIRENT_OFFSET_OFF = 8;
    public static final int DIRENT_OFFSET_RECLEN = 16;
    public static final int DIRENT_OFFSET_TYPE = 18;
    public static final int DIRENT_OFFSET_NAME = 19;

    static final long SYS_OPENAT2 = 437;
    static final long OPEN_HOW_BYTES = 24;
    private static final long OPEN_HOW_MODE = 8;
    private static final long OPEN_HOW_RESOLVE = 16;

    private static final MethodHandle MKDIRAT = Libc.handle("mkdirat", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle MKNODAT =
            Libc.handle("mknodat", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG);
    private static final MethodHandle SYMLINKAT = Libc.handle("symlinkat", JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG);
    private static final MethodHandle LINKAT =
            Libc.handle("linkat", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle UNLINKAT = Libc.handle("unlinkat", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle RENAMEAT2 =
            Libc.handle("renameat2", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle READLINKAT =
            Libc.handle("readlinkat", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle GETDENTS64 = Libc.handle("getdents64", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle STATX =
            Libc.handle("statx", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle FSTATFS = Libc.handle("fstatfs", JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle FCHOWNAT =
            Libc.handle("fchownat", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle FCHMOD = Libc.handle("fchmod", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle CHMOD = Libc.handle("chmod", JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle TRUNCATE = Libc.handle("truncate", JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle UTIMENSAT =
            Libc.handle("utimensat", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
    private static final MethodHandle SETXATTR =
            Libc.handle("setxattr", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT);
    private static final MethodHandle GETXATTR =
            Libc.handle("getxattr", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle LISTXATTR = Libc.handle("listxattr", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle REMOVEXATTR = Libc.handle("removexattr", JAVA_INT, JAVA_LONG, JAVA_LONG);

    private FolderIo() {}

    /** A device's number as {@link #mknodat} takes it. */
    public static long device(int major, int minor) {
        return (minor & 0xffL) | (major & 0xfffL) << 8 | (minor & 0xffff_ff00L) << 12 | (major & 0xffff_f000L) << 32;
    }

    /**
     * Opens what is at a name, close-on-exec.
     *
     * @param flags some of {@code FileIo.O_*}
     * @param mode of a file that is created, else 0
     * @param resolve some of {@code RESOLVE_*}
     * @return a descriptor, the caller's
     */
    public static int openat2(int folderFd, long name, int flags, int mode, int resolve) {
        MemorySegment how = Libc.scratch();
        how.set(JAVA_LONG, 0, Integer.toUnsignedLong(flags | FileIo.O_CLOEXEC));
        how.set(JAVA_LONG, OPEN_HOW_MODE, mode);
        how.set(JAVA_LONG, OPEN_HOW_RESOLVE, resolve);
        return (int) Libc.syscall(SYS_OPENAT2, folderFd, name, how.address(), OPEN_HOW_BYTES, 0, 0);
    }

    /** Opens what a path leads to, close-on-exec. */
    public static int open(long path, int flags) {
        return Libc.open(path, flags | FileIo.O_CLOEXEC, 0);
    }

    /** Makes a folder; permissions less the thread's umask. */
    public static int mkdirat(int folderFd, long name, int mode) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) MKDIRAT.invokeExact(errno, folderFd, name, mode), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Makes a file of any type but a folder or a link.
     *
     * @param device as {@link #device} makes it; 0 where the type has none
     */
    public static int mknodat(int folderFd, long name, int mode, long device) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) MKNODAT.invokeExact(errno, folderFd, name, mode, device), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** Makes a symbolic link. */
    public static int symlinkat(long target, int folderFd, long name) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) SYMLINKAT.invokeExact(errno, target, folderFd, name), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Gives a file another name.
     *
     * @param flags 0 or {@link #AT_SYMLINK_FOLLOW}
     */
    public static int linkat(int oldFolderFd, long oldName, int newFolderFd, long newName, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result(
                    (int) LINKAT.invokeExact(errno, oldFolderFd, oldName, newFolderFd, newName, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Removes a name.
     *
     * @param flags 0, or {@link #AT_REMOVEDIR} for an empty folder
     */
    public static int unlinkat(int folderFd, long name, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) UNLINKAT.invokeExact(errno, folderFd, name, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Renames.
     *
     * @param flags 0 or some of {@code RENAME_*}
     */
    public static int renameat2(int oldFolderFd, long oldName, int newFolderFd, long newName, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result(
                    (int) RENAMEAT2.invokeExact(errno, oldFolderFd, oldName, newFolderFd, newName, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * What a symbolic link says, without a NUL at its end; how many bytes that are, at most {@code capacity}.
     *
     * @param name the link in the folder; an empty one where the descriptor is the link itself
     */
    public static long readlinkat(int folderFd, long name, long buffer, long capacity) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((long) READLINKAT.invokeExact(errno, folderFd, name, buffer, capacity), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** The next entries of an open folder as {@code struct linux_dirent64}; how many bytes, 0 at the end. */
    public static long getdents64(int fd, long buffer, long capacity) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((long) GETDENTS64.invokeExact(errno, fd, buffer, capacity), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Fills {@code struct statx}, {@value #STATX_BYTES} bytes.
     *
     * @param name in the folder; an empty one with {@link #AT_EMPTY_PATH} for the descriptor itself
     */
    public static int statx(int folderFd, long name, int flags, int mask, long buffer) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) STATX.invokeExact(errno, folderFd, name, flags, mask, buffer), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** Fills {@code struct statfs}, {@value #STATFS_BYTES} bytes. */
    public static int fstatfs(int fd, long buffer) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) FSTATFS.invokeExact(errno, fd, buffer), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** Changes the owner; -1 for one that stays. */
    public static int fchownat(int folderFd, long name, int uid, int gid, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) FCHOWNAT.invokeExact(errno, folderFd, name, uid, gid, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** Changes the permissions of an open file. */
    public static int fchmod(int fd, int mode) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) FCHMOD.invokeExact(errno, fd, mode), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** Changes the permissions of what a path leads to. */
    public static int chmod(long path, int mode) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) CHMOD.invokeExact(errno, path, mode), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** Sets the length of what a path leads to. */
    public static int truncate(long path, long byteCount) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) TRUNCATE.invokeExact(errno, path, byteCount), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Sets access and modification time.
     *
     * @param times two of {@code struct timespec}, whose nanoseconds may be {@link #UTIME_NOW} or {@link #UTIME_OMIT}
     */
    public static int utimensat(int folderFd, long name, long times, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) UTIMENSAT.invokeExact(errno, folderFd, name, times, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Sets an extended attribute of what a path leads to.
     *
     * @param flags 0, {@link #XATTR_CREATE} or {@link #XATTR_REPLACE}
     */
    public static int setxattr(long path, long name, long value, long byteCount, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) SETXATTR.invokeExact(errno, path, name, value, byteCount, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** Reads an extended attribute of what a path leads to; its size where the capacity is 0. */
    public static long getxattr(long path, long name, long buffer, long capacity) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((long) GETXATTR.invokeExact(errno, path, name, buffer, capacity), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** The names of the extended attributes of what a path leads to, each with a NUL; their size where the capacity is 0. */
    public static long listxattr(long path, long buffer, long capacity) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((long) LISTXATTR.invokeExact(errno, path, buffer, capacity), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /** Removes an extended attribute of what a path leads to. */
    public static int removexattr(long path, long name) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) REMOVEXATTR.invokeExact(errno, path, name), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
