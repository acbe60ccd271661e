package io.fairlead.devices.fs;

import static io.fairlead.linux.FolderIo.STATX_OFFSET_DEV_MAJOR;
import static io.fairlead.linux.FolderIo.STATX_OFFSET_DEV_MINOR;
import static io.fairlead.linux.FolderIo.STATX_OFFSET_INO;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Which file of the host it is, under however many names.
 *
 * @param device number of the device that holds the file
 * @param inode its number there
 */
record FileKey(long device, long inode) {
    static FileKey of(MemorySegment statx) {
        return new FileKey(
                (long) statx.get(ValueLayout.JAVA_INT, STATX_OFFSET_DEV_MAJOR) << 32
                        | Integer.toUnsignedLong(statx.get(ValueLayout.JAVA_INT, STATX_OFFSET_DEV_MINOR)),
                statx.get(ValueLayout.JAVA_LONG, STATX_OFFSET_INO));
    }
}
