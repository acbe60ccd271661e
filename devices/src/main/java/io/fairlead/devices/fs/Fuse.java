package io.fairlead.devices.fs;

/**
 * The FUSE protocol as the kernel speaks it, version 7.31 to 7.39: headers and what is about the connection as a whole. A
 * nested class is a structure of {@code include/uapi/linux/fuse.h}, its numbers are the offsets of the fields and {@code
 * BYTES} its size. All little-endian. Kinds of requests are in {@link FuseOpcode}, bits in {@link FuseFlag}, other
 * structures in {@link FuseAttribute}, {@link FuseName} and {@link FuseFile}.
 */
final class Fuse {
    static final int MAJOR = 7;

    /** The newest version that is spoken here. */
    static final int MINOR = 39;

    /** The oldest one. */
    static final int MIN_MINOR = 31;

    static final long ROOT_ID = 1;

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

    private Fuse() {}
}
