package io.fairlead.devices.fs;

import static io.fairlead.linux.FolderIo.STATX_BTIME;
import static io.fairlead.linux.FolderIo.STATX_OFFSET_BTIME;
import static io.fairlead.linux.FolderIo.STATX_OFFSET_DEV_MAJOR;
import static io.fairlead.linux.FolderIo.STATX_OFFSET_DEV_MINOR;
import static io.fairlead.linux.FolderIo.STATX_OFFSET_INO;
import static io.fairlead.linux.FolderIo.STATX_OFFSET_MASK;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Which file of the host it is, under however many names, as long as it is there: a number is given to another file later.
 *
 * @param device number of the device that holds the file
 * @param inode its number there
 */
record FileKey(long device, long inode) {
    private static final long SECOND_NANOS = 1_000_000_000;
    private static final int TIME_NANOS = 8;

    static FileKey of(MemorySegment statx) {
        return new FileKey(
                (long) statx.get(ValueLayout.JAVA_INT, STATX_OFFSET_DEV_MAJOR) << 32
                        | Integer.toUnsignedLong(statx.get(ValueLayout.JAVA_INT, STATX_OFFSET_DEV_MINOR)),
                statx.get(ValueLayout.JAVA_LONG, STATX_OFFSET_INO));
    }

    /** Whether a status is of this number. */
    boolean is(MemorySegment statx) {
        return statx.get(ValueLayout.JAVA_LONG, STATX_OFFSET_INO) == inode
                && statx.get(ValueLayout.JAVA_INT, STATX_OFFSET_DEV_MINOR) == (int) device
                && statx.get(ValueLayout.JAVA_INT, STATX_OFFSET_DEV_MAJOR) == (int) (device >>> 32);
    }

    /** When the file was made, nanoseconds since 1970: tells files of one number apart. 0 where it is not known. */
    static long birth(MemorySegment statx) {
        return (statx.get(ValueLayout.JAVA_INT, STATX_OFFSET_MASK) & STATX_BTIME) == 0
                ? 0
                : statx.get(ValueLayout.JAVA_LONG, STATX_OFFSET_BTIME) * SECOND_NANOS
                        + statx.get(ValueLayout.JAVA_INT, STATX_OFFSET_BTIME + TIME_NANOS);
    }
}
