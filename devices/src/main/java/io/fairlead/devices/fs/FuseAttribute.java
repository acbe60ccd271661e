package io.fairlead.devices.fs;

/**
 * Layouts of what files are: attributes, extended attributes, the file system as a whole. A nested class is a structure of
 * {@code include/uapi/linux/fuse.h}, its numbers are the offsets of the fields and {@code BYTES} its size. All little-endian.
 */
final class FuseAttribute {
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

    /** {@code fuse_setxattr_in} without SETXATTR_EXT, which is not offered. */
    static final class SetxattrIn {
        static final int SIZE = 0;
        static final int FLAGS = 4;
        static final int COMPAT_BYTES = 8;

        private SetxattrIn() {}
    }

    static final class AccessIn {
        static final int MASK = 0;
        static final int BYTES = 8;

        private AccessIn() {}
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

    private FuseAttribute() {}
}
