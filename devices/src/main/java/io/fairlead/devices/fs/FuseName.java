package io.fairlead.devices.fs;

/**
 * Layouts of requests that make, rename and list names. A nested class is a structure of
 * {@code include/uapi/linux/fuse.h}, its numbers are the offsets of the fields and {@code BYTES} its size. All little-endian.
 */
final class FuseName {
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

    static final class CreateIn {
        static final int FLAGS = 0;
        static final int MODE = 4;
        static final int UMASK = 8;
        static final int OPEN_FLAGS = 12;
        static final int BYTES = 16;

        private CreateIn() {}
    }

    static final class Dirent {
        static final int INO = 0;
        static final int OFF = 8;
        static final int NAMELEN = 16;
        static final int TYPE = 20;
        static final int BYTES = 24;

        private Dirent() {}
    }

    private FuseName() {}
}
