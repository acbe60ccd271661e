package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;

/** The layout of {@code struct statx}, the same on every architecture. */
final class Statx {
    static final long SIZE = 256;
    static final long BLKSIZE = 4;
    static final long MODE = 28;
    static final long INO = 32;
    static final long FILE_SIZE = 40;
    static final long BLOCKS = 48;
    static final long RDEV_MAJOR = 128;
    static final long RDEV_MINOR = 132;
    static final long DEV_MAJOR = 136;
    static final long DEV_MINOR = 140;

    static final int STATX_BASIC_STATS = 0x7ff;
    static final int AT_FDCWD = -100;
    static final int AT_SYMLINK_NOFOLLOW = 0x100;
    static final int AT_EMPTY_PATH = 0x1000;

    private Statx() {}

    static FileStatus read(MemorySegment statx) {
        return new FileStatus(
                statx.get(JAVA_LONG, FILE_SIZE),
                Short.toUnsignedInt(statx.get(JAVA_SHORT, MODE)),
                statx.get(JAVA_INT, DEV_MAJOR),
                statx.get(JAVA_INT, DEV_MINOR),
                statx.get(JAVA_LONG, INO),
                statx.get(JAVA_INT, RDEV_MAJOR),
                statx.get(JAVA_INT, RDEV_MINOR),
                statx.get(JAVA_INT, BLKSIZE),
                statx.get(JAVA_LONG, BLOCKS));
    }
}
