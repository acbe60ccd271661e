package io.fairlead.kernel.vduse;

import io.fairlead.linux.BootId;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.InflightRegion;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What must outlive this process while the kernel keeps the device: how far the driver has come, and each queue's requests
 * in flight. A file that is mapped, so that every store counts at once whenever this process is killed. It belongs to one
 * device of one run of the host. In native byte order, which is the host's own:
 *
 * <pre>
 *    0  u64     magic, "FLVDUSE1"
 *    8  u32     version
 *   12  u32     queues
 *   16  u64     features offered
 *   24  u32     virtio device id
 *   28  u32     bytes of the configuration space
 *   32  u64     number of the device file, which no two devices of a run share
 *   40  u8[36]  id of the host's run
 *   80  u32     device status
 *   84  u32     1 while suspended
 *  128  u64[]   states of the queues while suspended
 * 4096  one in-flight region a queue, each of the same size
 * </pre>
 */
final class VduseRecord implements AutoCloseable {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final VarHandle INT_HANDLE = INT.varHandle();

    private static final long MAGIC = 0x3145535544564c46L;
    private static final int VERSION = 1;
    private static final int BOOT_ID_OFFSET = 40;
    private static final int BOOT_ID_BYTES = 36;
    private static final int STATUS_OFFSET = 80;
    private static final int SUSPENDED_OFFSET = 84;
    private static final int STATES_OFFSET = 128;
    private static final int HEADER_BYTES = 4096;
    private static final int MAX_QUEUES = (HEADER_BYTES - STATES_OFFSET) / Long.BYTES;
    private static final int MODE = 0600;

    private final Mapping mapping;
    private final MemorySegment bytes;
    private final long partBytes;
    private final int queueCount;

    private VduseRecord(Mapping mapping, long partBytes, int queueCount) {
        this.mapping = mapping;
        this.partBytes = partBytes;
        this.queueCount = queueCount;
        bytes = mapping.segment();
    }

    /** The file of a device's record. */
    static Path path(Path folder, String name) {
        return folder.resolve(name + ".record");
    }

    /** An empty record of a device that was just created; one of the same name is gone. */
    static VduseRecord create(Path path, Fd deviceFile, VdpaDevice device, VduseOffer offer) throws IOException {
        Files.createDirectories(path.toAbsolutePath().getParent());
        Files.deleteIfExists(path);
        try (Fd fd = FileIo.open(path, FileIo.O_RDWR | FileIo.O_CREAT | FileIo.O_EXCL, MODE)) {
            LinuxException failure = resize(fd, byteCount(device, offer));
            if (failure != null) {
                throw failure;
            }
            VduseRecord record = map(fd, device, offer);
            MemorySegment.copy(header(deviceFile, device, offer), 0, record.bytes, 0, STATUS_OFFSET);
            return record;
        }
    }

    /**
     * The record of a device that the kernel has kept.
     *
     * @throws IOException where there is none, or it is of another device
     */
    static VduseRecord open(Path path, Fd deviceFile, VdpaDevice device, VduseOffer offer) throws IOException {
        if (!Files.exists(path)) {
            throw new NoSuchFileException(
                    path.toString(),
                    null,
                    "the kernel keeps VDUSE device %s, but nothing says which requests are in flight there: %s"
                            .formatted(deviceFile.subject(), remedy(device)));
        }
        try (Fd fd = FileIo.open(path, FileIo.O_RDWR, 0)) {
            if (FileIo.status(fd).sizeBytes() != byteCount(device, offer)) {
                throw other(path, device);
            }
            VduseRecord record = map(fd, device, offer);
            MemorySegment expected = header(deviceFile, device, offer);
            if (MemorySegment.mismatch(expected, 0, STATUS_OFFSET, record.bytes, 0, STATUS_OFFSET) >= 0) {
                record.close();
                throw other(path, device);
            }
            return record;
        }
    }

    private static IOException other(Path path, VdpaDevice device) {
        return new IOException(
                ("%s: the kernel keeps the VDUSE device, which was created with other properties than this one has (type,"
                                + " features, queues), or %s is not its record. Serve it as before, or %s")
                        .formatted(device.name(), path, remedy(device)));
    }

    private static String remedy(VdpaDevice device) {
        return "end it by 'vdpa dev del' and serve %s again".formatted(device.name());
    }

    private static @Nullable LinuxException resize(Fd fd, long byteCount) {
        int result = FileIo.ftruncate(fd.raw(), byteCount);
        return result < 0 ? new LinuxException("ftruncate", fd.subject(), -result) : null;
    }

    private static VduseRecord map(Fd fd, VdpaDevice device, VduseOffer offer) throws IOException {
        return new VduseRecord(
                Mapping.shared(fd, 0, byteCount(device, offer), true), partBytes(device, offer), offer.queueCount());
    }

    private static int largestQueue(VdpaDevice device, VduseOffer offer) {
        int largest = 0;
        for (int queue = 0; queue < offer.queueCount(); queue++) {
            largest = Math.max(largest, device.maxQueueSize(queue));
        }
        return largest;
    }

    private static long partBytes(VdpaDevice device, VduseOffer offer) {
        int size = largestQueue(device, offer);
        return Math.max(InflightRegion.byteCount(size, false), InflightRegion.byteCount(size, true));
    }

    private static long byteCount(VdpaDevice device, VduseOffer offer) {
        if (offer.queueCount() > MAX_QUEUES) {
            throw new IllegalArgumentException("%s: %d queues, at most %d are presented by VDUSE"
                    .formatted(device.name(), offer.queueCount(), MAX_QUEUES));
        }
        return HEADER_BYTES + offer.queueCount() * partBytes(device, offer);
    }

    /** All up to {@link #STATUS_OFFSET}. */
    private static MemorySegment header(Fd deviceFile, VdpaDevice device, VduseOffer offer) throws IOException {
        MemorySegment header = MemorySegment.ofArray(new long[STATUS_OFFSET / Long.BYTES]);
        header.set(LONG, 0, MAGIC);
        header.set(INT, 8, VERSION);
        header.set(INT, 12, offer.queueCount());
        header.set(LONG, 16, offer.features());
        header.set(INT, 24, device.deviceId());
        header.set(INT, 28, device.configByteCount());
        header.set(LONG, 32, FileIo.status(deviceFile).inode());
        byte[] run = Arrays.copyOf(BootId.current().getBytes(StandardCharsets.US_ASCII), BOOT_ID_BYTES);
        MemorySegment.copy(run, 0, header, ValueLayout.JAVA_BYTE, BOOT_ID_OFFSET, BOOT_ID_BYTES);
        return header;
    }

    int status() {
        return (int) INT_HANDLE.getVolatile(bytes, (long) STATUS_OFFSET);
    }

    void status(int status) {
        INT_HANDLE.setVolatile(bytes, (long) STATUS_OFFSET, status);
    }

    boolean isSuspended() {
        return (int) INT_HANDLE.getVolatile(bytes, (long) SUSPENDED_OFFSET) != 0;
    }

    /** @param states of all queues, as {@link RingState} has them */
    void suspended(long[] states) {
        MemorySegment.copy(states, 0, bytes, LONG, STATES_OFFSET, states.length);
        INT_HANDLE.setVolatile(bytes, (long) SUSPENDED_OFFSET, 1);
    }

    /** Where a queue stood when the device was suspended. */
    long suspendedState(int queue) {
        return bytes.get(LONG, STATES_OFFSET + (long) Long.BYTES * queue);
    }

    /** Where a queue records its requests in flight. */
    MemorySegment inflight(int queue) {
        return bytes.asSlice(HEADER_BYTES + queue * partBytes, partBytes);
    }

    /** Forgets a queue that has stopped. */
    void forget(int queue) {
        inflight(queue).fill((byte) 0);
    }

    /** The driver has reset the device; its queues have stopped. */
    void reset() {
        status(0);
        INT_HANDLE.setVolatile(bytes, (long) SUSPENDED_OFFSET, 0);
        for (int queue = 0; queue < queueCount; queue++) {
            forget(queue);
        }
    }

    @Override
    public void close() {
        mapping.close();
    }
}
