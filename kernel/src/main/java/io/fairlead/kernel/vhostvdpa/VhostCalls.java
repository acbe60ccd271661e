package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.DeviceFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * The kernel as an open /dev/vhost-vdpa-N shows it. Any thread; a call after {@link #close} answers EBADF. Unit tests put a
 * model of the kernel in its place.
 */
interface VhostCalls extends AutoCloseable {
    /** Opens such a file. */
    interface Opener {
        VhostCalls open(Path path) throws IOException;

        /**
         * The file of a device as it is now.
         *
         * @param path as {@link VhostVdpaSettings#path}
         * @throws IOException where there is no such device
         */
        default Path find(Path path) throws IOException {
            return path;
        }
    }

    /**
     * One request.
     *
     * @param argument native memory
     * @return 0 or more, or a negative error number
     */
    int ioctl(long request, MemorySegment argument);

    /**
     * One message to the device's IOTLB.
     *
     * @return bytes taken, or a negative error number
     */
    long write(MemorySegment message);

    /** Who made the device, as {@link DeviceMake} says it; empty where nobody tells. */
    default String make() throws IOException {
        return "";
    }

    @Override
    void close();

    static VhostCalls open(Path path) throws IOException {
        DeviceFile file = DeviceFile.open(path);
        return new VhostCalls() {
            @Override
            public int ioctl(long request, MemorySegment argument) {
                return file.ioctl(request, argument);
            }

            @Override
            public long write(MemorySegment message) {
                return file.write(message);
            }

            @Override
            public String make() throws IOException {
                return DeviceMake.of(
                        Path.of("/sys/bus/vdpa"), path.getFileName().toString());
            }

            @Override
            public void close() {
                file.close();
            }
        };
    }
}
