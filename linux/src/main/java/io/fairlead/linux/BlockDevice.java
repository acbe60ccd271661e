package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/**
 * Requests to block devices. On another kind of file they fail with ENOTTY.
 *
 * <p>Thread-safe.
 */
public final class BlockDevice {
    static final long BLKROGET = Ioctl.IO(0x12, 94);
    static final long BLKSSZGET = Ioctl.IO(0x12, 104);
    static final long BLKDISCARD = Ioctl.IO(0x12, 119);
    static final long BLKPBSZGET = Ioctl.IO(0x12, 123);
    static final long BLKZEROOUT = Ioctl.IO(0x12, 127);
    static final long BLKGETSIZE64 = Ioctl.IOR(0x12, 114, Long.BYTES);

    private BlockDevice() {}

    /** Capacity in bytes. */
    public static long sizeBytes(Fd fd) throws LinuxException {
        MemorySegment value = Libc.scratch();
        LinuxException.check(Libc.ioctl(fd.raw(), BLKGETSIZE64, value.address()), "ioctl(BLKGETSIZE64)", fd.subject());
        return value.get(JAVA_LONG, 0);
    }

    /** Smallest unit that the device addresses, bytes. */
    public static int logicalBlockBytes(Fd fd) throws LinuxException {
        return intOf(fd, BLKSSZGET, "ioctl(BLKSSZGET)");
    }

    /** Smallest unit that the device writes without reading first, bytes. */
    public static int physicalBlockBytes(Fd fd) throws LinuxException {
        return intOf(fd, BLKPBSZGET, "ioctl(BLKPBSZGET)");
    }

    /** Whether the device refuses writes. */
    public static boolean isReadOnly(Fd fd) throws LinuxException {
        return intOf(fd, BLKROGET, "ioctl(BLKROGET)") != 0;
    }

    /**
     * Tells the device that a range holds nothing of worth; what it reads afterwards is undefined. For the data path.
     *
     * @param offset bytes, a multiple of the logical block
     * @param byteCount likewise
     * @return 0 or a negative error number
     */
    public static int discard(int fd, long offset, long byteCount) {
        return range(fd, BLKDISCARD, offset, byteCount);
    }

    /** Makes a range read as zeros; arguments and result as {@link #discard}. */
    public static int zeroOut(int fd, long offset, long byteCount) {
        return range(fd, BLKZEROOUT, offset, byteCount);
    }

    private static int intOf(Fd fd, long request, String call) throws LinuxException {
        MemorySegment value = Libc.scratch();
        LinuxException.check(Libc.ioctl(fd.raw(), request, value.address()), call, fd.subject());
        return value.get(JAVA_INT, 0);
    }

    private static int range(int fd, long request, long offset, long byteCount) {
        MemorySegment range = Libc.scratch();
        range.set(JAVA_LONG, 0, offset);
        range.set(JAVA_LONG, Long.BYTES, byteCount);
        return Libc.ioctl(fd, request, range.address());
    }
}
