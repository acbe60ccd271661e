package io.fairlead.devices.fs;

/** Bits of {@code include/uapi/linux/fuse.h}; {@code F_x} stands for {@code FUSE_x}. */
final class FuseFlag {
    // What client and file system agree on by INIT.
    static final long F_ASYNC_READ = 1L << 0;
    static final long F_POSIX_LOCKS = 1L << 1;
    static final long F_ATOMIC_O_TRUNC = 1L << 3;
    static final long F_BIG_WRITES = 1L << 5;
    static final long F_DONT_MASK = 1L << 6;
    static final long F_FLOCK_LOCKS = 1L << 10;
    static final long F_AUTO_INVAL_DATA = 1L << 12;
    static final long F_DO_READDIRPLUS = 1L << 13;
    static final long F_READDIRPLUS_AUTO = 1L << 14;
    static final long F_ASYNC_DIO = 1L << 15;
    static final long F_WRITEBACK_CACHE = 1L << 16;
    static final long F_PARALLEL_DIROPS = 1L << 18;
    static final long F_MAX_PAGES = 1L << 22;
    static final long F_CACHE_SYMLINKS = 1L << 23;
    static final long F_HANDLE_KILLPRIV_V2 = 1L << 28;
    static final long F_INIT_EXT = 1L << 30;
    static final long F_DIRECT_IO_ALLOW_MMAP = 1L << 36;

    // Which attributes SETATTR is about.
    static final int FATTR_MODE = 1 << 0;
    static final int FATTR_UID = 1 << 1;
    static final int FATTR_GID = 1 << 2;
    static final int FATTR_SIZE = 1 << 3;
    static final int FATTR_ATIME = 1 << 4;
    static final int FATTR_MTIME = 1 << 5;
    static final int FATTR_FH = 1 << 6;
    static final int FATTR_ATIME_NOW = 1 << 7;
    static final int FATTR_MTIME_NOW = 1 << 8;
    static final int FATTR_LOCKOWNER = 1 << 9;
    static final int FATTR_CTIME = 1 << 10;
    static final int FATTR_KILL_SUIDGID = 1 << 11;

    // What the file system says of a file that it opened.
    static final int FOPEN_DIRECT_IO = 1 << 0;
    static final int FOPEN_KEEP_CACHE = 1 << 1;
    static final int FOPEN_CACHE_DIR = 1 << 3;
    static final int FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;

    // Of requests about files.
    static final int F_LK_FLOCK = 1 << 0;
    static final int F_WRITE_KILL_SUIDGID = 1 << 2;
    static final int F_RELEASE_FLOCK_UNLOCK = 1 << 1;
    static final int F_FSYNC_FDATASYNC = 1 << 0;
    static final int F_OPEN_KILL_SUIDGID = 1 << 0;

    private FuseFlag() {}
}
