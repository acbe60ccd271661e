package io.fairlead.linux;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;

/**
 * A character device that is spoken to by ioctl(2) and write(2).
 *
 * <p>Thread-safe: the descriptor stays open while a call runs, so that a close by another thread never lets a call touch
 * another file.
 */
public final class DeviceFile implements AutoCloseable {
    private final Fd fd;

    private DeviceFile(Fd fd) {
        this.fd = fd;
    }

    /** Opens a device for reading and writing. */
    public static DeviceFile open(Path path) throws LinuxException {
        return new DeviceFile(FileIo.open(path, FileIo.O_RDWR, 0));
    }

    /** The descriptor, still owned by this object. */
    public Fd fd() {
        return fd;
    }

    /**
     * One request. Not repeated after a signal: not every request may be.
     *
     * @param argument native memory that the request reads or fills; {@link MemorySegment#NULL} where it has none
     * @return the request's value (0 or more), or a negative error number; EBADF after {@link #close}
     */
    public int ioctl(long request, MemorySegment argument) {
        int raw;
        try {
            raw = fd.beginUse();
        } catch (IllegalStateException e) {
            return -Errno.EBADF;
        }
        try {
            return Libc.ioctl(raw, request, argument.address());
        } finally {
            fd.endUse();
            Reference.reachabilityFence(argument);
        }
    }

    /**
     * One write of a whole message.
     *
     * @return bytes taken, or a negative error number; EBADF after {@link #close}
     */
    public long write(MemorySegment message) {
        int raw;
        try {
            raw = fd.beginUse();
        } catch (IllegalStateException e) {
            return -Errno.EBADF;
        }
        try {
            long result;
            do {
                result = Libc.write(raw, message.address(), message.byteSize());
            } while (result == -Errno.EINTR);
            return result;
        } finally {
            fd.endUse();
            Reference.reachabilityFence(message);
        }
    }

    @Override
    public void close() {
        fd.close();
    }

    @Override
    public String toString() {
        return fd.toString();
    }
}
