package io.fairlead.devices.fs;

/**
 * The FUSE protocol as the kernel speaks it: numbers and layouts of {@code include/uapi/linux/fuse.h}, version 7.31 to
 * 7.39. {@code OP_x} and {@code F_x} stand for {@code FUSE_x}; a nested class is a structure, its numbers are the offsets
 * of the fields and {@code BYTES} its size. All little-endian.
 */
final class Fuse {
    static final int MAJOR = 7;

    /** The newest version that is spoken here. */
    static final int MINOR = 39;

    /** The oldest one. */
    static final int MIN_MINOR = 31;

    static final long ROOT_ID = 1;

    static final int OP_LOOKUP = 1;
    static final int OP_FORGET = 2;
    static final int OP_GETATTR = 3;
    static final int OP_SETATTR = 4;
    static final int OP_READLINK = 5;
    static final int OP_SYMLINK = 6;
    static final int OP_MKNOD = 8;
    static final int OP_MKDIR = 9;
    static final int OP_UNLINK = 10;
    static final int OP_RMDIR = 11;
    static final int OP_RENAME = 12;
    static final int OP_LINK = 13;
    static final int OP_OPEN = 14;
    static final int OP_READ = 15;
    static final int OP_WRITE = 16;
    static final int OP_STATFS = 17;
    static final int OP_RELEASE = 18;
    static final int OP_FSYNC = 20;
    static final int OP_SETXATTR = 21;
    static final int OP_GETXATTR = 22;
    static final int OP_LISTXATTR = 23;
    static final int OP_REMOVEXATTR = 24;
    static final int OP_FLUSH = 25;
    static final int OP_INIT = 26;
    static final int OP_OPENDIR = 27;
    static final int OP_READDIR = 28;
    static final int OP_RELEASEDIR = 29;
    static final int OP_FSYNCDIR = 30;
    static final int OP_GETLK = 31;
    static final int OP_SETLK = 32;
    static final int OP_SETLKW = 33;
    static final int OP_ACCESS = 34;
    static final int OP_CREATE = 35;
    static final int OP_INTERRUPT = 36;
    static final int OP_DESTROY = 38;
    static final int OP_BATCH_FORGET = 42;
    static final int OP_FALLOCATE = 43;
    static final int OP_READDIRPLUS = 44;
    static final int OP_RENAME2 = 45;
    static final int OP_LSEEK = 46;
    static final int OP_COPY_FILE_RANGE = 47;
    static final int OP_SYNCFS = 50;
    static final int OP_STATX = 52;

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
    static final int FOPEN_DIRECT_IO = 1 << 0;
    static final int FOPEN_KEEP_CACHE = 1 << 1;
    static final int FOPEN_CACHE_DIR = 1 << 3;
    static final int FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;
    static final int F_LK_FLOCK = 1 << 0;
    static final int F_WRITE_KILL_SUIDGID = 1 << 2;
    static final int F_RELEASE_FLOCK_UNLOCK = 1 << 1;
    static final int F_FSYNC_FDATASYNC = 1 << 0;
    static final int F_OPEN_KILL_SUIDGID = 1 << 0;

    static final class InHeader {
        static final int LEN = 0;
        static final int OPCODE = 4;
        static final int UNIQUE = 8;
        static final int NODEID = 16;
        static final int UID = 24;
        static final int GID = 28;
        static final int PID = 32;
        static final int BYTES = 40;

        private InHeader() {}
    }

    static final class OutHeader {
        static final int LEN = 0;
        static final int ERROR = 4;
        static final int UNIQUE = 8;
        static final int BYTES = 16;

        private OutHeader() {}
    }

    static final class Attr {
        static final int INO = 0;
        static final int SIZE = 8;
        static final int BLOCKS = 16;
        static final int ATIME = 24;
        static final int MTIME = 32;
        static final int CTIME = 40;
        static final int ATIMENSEC = 48;
        static final int MTIMENSEC = 52;
        static final int CTIMENSEC = 56;
        static final int MODE = 60;
        static final int NLINK = 64;
        static final int UID = 68;
        static final int GID = 72;
        static final int RDEV = 76;
        static final int BLKSIZE = 80;
        static final int FLAGS = 84;
        static final int BYTES = 88;

        private Attr() {}
    }

    static final class EntryOut {
        static final int NODEID = 0;
        static final int GENERATION = 8;
        static final int ENTRY_VALID = 16;
        static final int ATTR_VALID = 24;
        static final int ENTRY_VALID_NSEC = 32;
        static final int ATTR_VALID_NSEC = 36;
        static final int ATTR = 40;
        static final int BYTES = 128;

        private EntryOut() {}
    }

    static final class AttrOut {
        static final int ATTR_VALID = 0;
        static final int ATTR_VALID_NSEC = 8;
        static final int ATTR = 16;
        static final int BYTES = 104;

        private AttrOut() {}
    }

    static final class Kstatfs {
        static final int BLOCKS = 0;
        static final int BFREE = 8;
        static final int BAVAIL = 16;
        static final int FILES = 24;
        static final int FFREE = 32;
        static final int BSIZE = 40;
        static final int NAMELEN = 44;
        static final int FRSIZE = 48;
        static final int BYTES = 80;

        private Kstatfs() {}
    }

    static final class GetattrIn {
        static final int GETATTR_FLAGS = 0;
        static final int FH = 8;
        static final int BYTES = 16;

        private GetattrIn() {}
    }

    static final class SetattrIn {
        static final int VALID = 0;
        static final int FH = 8;
        static final int SIZE = 16;
        static final int LOCK_OWNER = 24;
        static final int ATIME = 32;
        static final int MTIME = 40;
        static final int CTIME = 48;
        static final int ATIMENSEC = 56;
        static final int MTIMENSEC = 60;
        static final int CTIMENSEC = 64;
        static final int MODE = 68;
        static final int UID = 76;
        static final int GID = 80;
        static final int BYTES = 88;

        private SetattrIn() {}
    }

    static final class MknodIn {
        static final int MODE = 0;
        static final int RDEV = 4;
        static final int UMASK = 8;
        static final int BYTES = 16;

        private MknodIn() {}
    }

    static final class MkdirIn {
        static final int MODE = 0;
        static final int UMASK = 4;
        static final int BYTES = 8;

        private MkdirIn() {}
    }

    static final class RenameIn {
        static final int NEWDIR = 0;
        static final int BYTES = 8;

        private RenameIn() {}
    }

    static final class Rename2In {
        static final int NEWDIR = 0;
        static final int FLAGS = 8;
        static final int BYTES = 16;

        private Rename2In() {}
    }

    static final class LinkIn {
        static final int OLDNODEID = 0;
        static final int BYTES = 8;

        private LinkIn() {}
    }

    static final class OpenIn {
        static final int FLAGS = 0;
        static final int OPEN_FLAGS = 4;
        static final int BYTES = 8;

        private OpenIn() {}
    }

    static final class CreateIn {
        static final int FLAGS = 0;
        static final int MODE = 4;
        static final int UMASK = 8;
        static final int OPEN_FLAGS = 12;
        static final int BYTES = 16;

        private CreateIn() {}
    }

    static final class OpenOut {
        static final int FH = 0;
        static final int OPEN_FLAGS = 8;
        static final int BYTES = 16;

        private OpenOut() {}
    }

    static final class ReleaseIn {
        static final int FH = 0;
        static final int FLAGS = 8;
        static final int RELEASE_FLAGS = 12;
        static final int LOCK_OWNER = 16;
        static final int BYTES = 24;

        private ReleaseIn() {}
    }

    static final class FlushIn {
        static final int FH = 0;
        static final int LOCK_OWNER = 16;
        static final int BYTES = 24;

        private FlushIn() {}
    }

    static final class ReadIn {
        static final int FH = 0;
        static final int OFFSET = 8;
        static final int SIZE = 16;
        static final int READ_FLAGS = 20;
        static final int LOCK_OWNER = 24;
        static final int FLAGS = 32;
        static final int BYTES = 40;

        private ReadIn() {}
    }

    static final class WriteIn {
        static final int FH = 0;
        static final int OFFSET = 8;
        static final int SIZE = 16;
        static final int WRITE_FLAGS = 20;
        static final int LOCK_OWNER = 24;
        static final int FLAGS = 32;
        static final int BYTES = 40;

        private WriteIn() {}
    }

    static final class WriteOut {
        static final int SIZE = 0;
        static final int BYTES = 8;

        private WriteOut() {}
    }

    static final class FsyncIn {
        static final int FH = 0;
        static final int FSYNC_FLAGS = 8;
        static final int BYTES = 16;

        private FsyncIn() {}
    }

    static final class GetxattrIn {
        static final int SIZE = 0;
        static final int BYTES = 8;

        private GetxattrIn() {}
    }

    static final class GetxattrOut {
        static final int SIZE = 0;
        static final int BYTES = 8;

        private GetxattrOut() {}
    }

    static final class FileLock {
        static final int START = 0;
        static final int END = 8;
        static final int TYPE = 16;
        static final int PID = 20;
        static final int BYTES = 24;

        private FileLock() {}
    }

    static final class LkIn {
        static final int FH = 0;
        static final int OWNER = 8;
        static final int LK = 16;
        static final int LK_FLAGS = 40;
        static final int BYTES = 48;

        private LkIn() {}
    }

    static final class AccessIn {
        static final int MASK = 0;
        static final int BYTES = 8;

        private AccessIn() {}
    }

    static final class InitIn {
        static final int MAJOR = 0;
        static final int MINOR = 4;
        static final int MAX_READAHEAD = 8;
        static final int FLAGS = 12;
        static final int FLAGS2 = 16;
        static final int BYTES = 64;

        private InitIn() {}
    }

    static final class InitOut {
        static final int MAJOR = 0;
        static final int MINOR = 4;
        static final int MAX_READAHEAD = 8;
        static final int FLAGS = 12;
        static final int MAX_BACKGROUND = 16;
        static final int CONGESTION_THRESHOLD = 18;
        static final int MAX_WRITE = 20;
        static final int TIME_GRAN = 24;
        static final int MAX_PAGES = 28;
        static final int MAP_ALIGNMENT = 30;
        static final int FLAGS2 = 32;
        static final int BYTES = 64;

        private InitOut() {}
    }

    static final class InterruptIn {
        static final int UNIQUE = 0;
        static final int BYTES = 8;

        private InterruptIn() {}
    }

    static final class FallocateIn {
        static final int FH = 0;
        static final int OFFSET = 8;
        static final int LENGTH = 16;
        static final int MODE = 24;
        static final int BYTES = 32;

        private FallocateIn() {}
    }

    static final class LseekIn {
        static final int FH = 0;
        static final int OFFSET = 8;
        static final int WHENCE = 16;
        static final int BYTES = 24;

        private LseekIn() {}
    }

    static final class CopyFileRangeIn {
        static final int FH_IN = 0;
        static final int OFF_IN = 8;
        static final int NODEID_OUT = 16;
        static final int FH_OUT = 24;
        static final int OFF_OUT = 32;
        static final int LEN = 40;
        static final int FLAGS = 48;
        static final int BYTES = 56;

        private CopyFileRangeIn() {}
    }

    static final class ForgetIn {
        static final int NLOOKUP = 0;
        static final int BYTES = 8;

        private ForgetIn() {}
    }

    static final class ForgetOne {
        static final int NODEID = 0;
        static final int NLOOKUP = 8;
        static final int BYTES = 16;

        private ForgetOne() {}
    }

    static final class BatchForgetIn {
        static final int COUNT = 0;
        static final int BYTES = 8;

        private BatchForgetIn() {}
    }

    static final class Dirent {
        static final int INO = 0;
        static final int OFF = 8;
        static final int NAMELEN = 16;
        static final int TYPE = 20;
        static final int BYTES = 24;

        private Dirent() {}
    }

    /** {@code fuse_setxattr_in} without SETXATTR_EXT, which is not offered. */
    static final class SetxattrIn {
        static final int SIZE = 0;
        static final int FLAGS = 4;
        static final int COMPAT_BYTES = 8;

        private SetxattrIn() {}
    }

    /** Since 7.39; the second half has the layout of the kernel's {@code struct statx} up to its device. */
    static final class StatxOut {
        static final int ATTR_VALID = 0;
        static final int ATTR_VALID_NSEC = 8;
        static final int STAT = 32;
        static final int STAT_KNOWN_BYTES = 144;
        static final int BYTES = 288;

        private StatxOut() {}
    }

    private Fuse() {}

    /** Whether requests of a kind are short work for a file system that has in memory what they are about. */
    static boolean isQuick(int opcode) {
        return switch (opcode) {
            case OP_READ,
                    OP_WRITE,
                    OP_READDIRPLUS,
                    OP_FSYNC,
                    OP_FSYNCDIR,
                    OP_SYNCFS,
                    OP_FALLOCATE,
                    OP_COPY_FILE_RANGE,
                    OP_INIT,
                    OP_DESTROY -> false;
            default -> true;
        };
    }

    /** Whether requests of a kind change the file system, whatever is in them. */
    static boolean isChange(int opcode) {
        return switch (opcode) {
            case OP_SETATTR,
                    OP_SYMLINK,
                    OP_MKNOD,
                    OP_MKDIR,
                    OP_UNLINK,
                    OP_RMDIR,
                    OP_RENAME,
                    OP_RENAME2,
                    OP_LINK,
                    OP_WRITE,
                    OP_SETXATTR,
                    OP_REMOVEXATTR,
                    OP_CREATE,
                    OP_FALLOCATE,
                    OP_COPY_FILE_RANGE -> true;
            default -> false;
        };
    }
}
