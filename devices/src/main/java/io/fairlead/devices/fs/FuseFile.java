package io.fairlead.devices.fs;

/**
 * Layouts of what is done with open files and their locks. A nested class is a structure of
 * {@code include/uapi/linux/fuse.h}, its numbers are the offsets of the fields and {@code BYTES} its size. All little-endian.
 */
final class FuseFile {
    static final class OpenIn {
        static final int FLAGS = 0;
        static final int OPEN_FLAGS = 4;
        static final int BYTES = 8;

        private OpenIn() {}
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

    private FuseFile() {}
}
