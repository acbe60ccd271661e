package io.fairlead.testbed.blkio;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fairlead.linux.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * libblkio, the block device client library (package libblkio1 of Debian; 1.5 is the version that this follows). Loaded
 * until the process ends. Any thread.
 */
public final class BlkioLibrary {
    /** The driver that connects to a vhost-user-blk socket; its property is {@code path}. */
    public static final String VHOST_USER = "virtio-blk-vhost-user";

    /** The driver that opens a vhost-vdpa character device; its property is {@code path}. */
    public static final String VHOST_VDPA = "virtio-blk-vhost-vdpa";

    private static final String SUFFIX = ".so.";

    private final Path file;
    private final BlkioFunctions functions;

    private BlkioLibrary(Path file, BlkioFunctions functions) {
        this.file = file;
        this.functions = functions;
    }

    /**
     * Loads the library.
     *
     * @param file {@code libblkio.so.1} or the file that it links to
     * @throws IOException where it cannot be loaded or is another library
     */
    public static BlkioLibrary load(Path file) throws IOException {
        return new BlkioLibrary(file.toRealPath(), new BlkioFunctions(NativeLibrary.open(file)));
    }

    /** The version by the file's name, such as 1.5.0; libblkio has no function that tells. */
    public String version() {
        String name = String.valueOf(file.getFileName());
        int suffix = name.indexOf(SUFFIX);
        return suffix < 0 ? "of unknown version" : name.substring(suffix + SUFFIX.length());
    }

    /**
     * A new device, not connected.
     *
     * @param driver such as {@link #VHOST_USER}
     * @throws BlkioException where there is no such driver
     */
    public BlkioDevice create(String driver) throws BlkioException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(JAVA_LONG);
            int result;
            try {
                result = (int) functions.create.invokeExact(arena.allocateFrom(driver), pointer);
            } catch (Throwable e) {
                throw BlkioFunctions.unexpected(e);
            }
            functions.check(result, "blkio_create(" + driver + ")");
            return new BlkioDevice(functions, pointer.get(JAVA_LONG, 0));
        }
    }

    /**
     * A device behind a vhost-user-blk socket, connected and started.
     *
     * @param queues ordinary queues
     * @param readOnly whether the device refuses to be written
     * @throws BlkioException where the socket is not there or its server refuses
     */
    public BlkioDevice startVhostUser(Path socket, int queues, boolean readOnly) throws BlkioException {
        BlkioDevice device = create(VHOST_USER);
        boolean started = false;
        try {
            device.set("path", socket.toString());
            device.set("read-only", readOnly);
            device.connect();
            device.set("num-queues", queues);
            device.start();
            started = true;
            return device;
        } finally {
            if (!started) {
                device.close();
            }
        }
    }

    @Override
    public String toString() {
        return "libblkio " + version();
    }
}
