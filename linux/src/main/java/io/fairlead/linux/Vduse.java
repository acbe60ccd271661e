package io.fairlead.linux;

import static io.fairlead.linux.VduseLayout.*;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * VDUSE, the kernel's vDPA devices in user space ({@code Documentation/userspace-api/vduse.rst}): requests to its control
 * device, and to the device file of one device.
 *
 * <p>The state of a queue is a long here as the kernel has it in memory, four times 16 bits from the lowest on: split
 * the available index; packed the wrap counter and index of the available side, then those of the used side.
 *
 * <p>Thread-safe.
 */
public final class Vduse {
    /** The newest version of the interface that this class knows. */
    public static final long NEWEST_API_VERSION = 1;

    /** Bits of {@link #features}, by their numbers: the kernel tells when a queue becomes ready or stops. */
    public static final int VDUSE_F_QUEUE_READY = 0;

    /** The kernel asks the device to suspend. */
    public static final int VDUSE_F_SUSPEND = 1;

    /** {@link Entry#permission}: the device may only read, or only write. */
    public static final int VDUSE_ACCESS_RO = 1;

    public static final int VDUSE_ACCESS_WO = 2;
    public static final int VDUSE_ACCESS_RW = 3;

    private static final Path FOLDER = Path.of("/dev/vduse");
    private static final int F_SETFD = 2;
    private static final int FD_CLOEXEC = 1;

    /** The target of /proc/self/fd/N for the memory that the kernel itself shares with a device. */
    private static final String DOMAIN = "anon_inode:[vduse-domain]";

    private Vduse() {}

    /**
     * What a device is created with.
     *
     * @param features virtio feature bits, ACCESS_PLATFORM among them
     * @param queueAlignment bytes, a power of two, at most a page
     * @param groups of queues; 0 in API version 0, as the next
     * @param addressSpaces of the device
     * @param config the configuration space, at most a page
     */
    public record Creation(
            String name,
            int vendorId,
            int deviceId,
            long features,
            int queueCount,
            int queueAlignment,
            int groups,
            int addressSpaces,
            MemorySegment config) {}

    /**
     * What the driver set for a queue.
     *
     * @param size 0 where it set none
     * @param state where to begin
     */
    public record QueueInfo(
            int size, long descriptorAddress, long driverAddress, long deviceAddress, long state, boolean ready) {}

    /**
     * A piece of a device's I/O address space, and the file behind it.
     *
     * @param fd owned by the receiver
     * @param offset of the piece in the file, bytes
     * @param last its last address
     * @param permission one of {@code VDUSE_ACCESS_*}
     */
    public record Entry(Fd fd, long offset, long start, long last, int permission) {}

    // ---- the control device ----

    /** @throws LinuxException ENOENT where the kernel has no VDUSE, or its module is not loaded */
    public static Fd openControl() throws LinuxException {
        return FileIo.open(FOLDER.resolve("control"), FileIo.O_RDWR, 0);
    }

    /** The newest version that the kernel knows. */
    public static long apiVersion(Fd control) throws LinuxException {
        return get(control, VDUSE_GET_API_VERSION, "ioctl(VDUSE_GET_API_VERSION)");
    }

    /** The version of devices that are created from now on. */
    public static void apiVersion(Fd control, long version) throws LinuxException {
        set(control, VDUSE_SET_API_VERSION, version, "ioctl(VDUSE_SET_API_VERSION)");
    }

    /** The messages that the kernel can send besides; 0 where it cannot be asked. */
    public static long features(Fd control) throws LinuxException {
        MemorySegment value = Libc.scratch();
        int result = Libc.ioctl(control.raw(), VDUSE_GET_FEATURES, value.address());
        if (result == -Errno.EINVAL) {
            return 0;
        }
        LinuxException.check(result, "ioctl(VDUSE_GET_FEATURES)", control.subject());
        return value.get(JAVA_LONG, 0);
    }

    /** What devices created from now on want of {@link #features(Fd)}. */
    public static void features(Fd control, long features) throws LinuxException {
        set(control, VDUSE_SET_FEATURES, features, "ioctl(VDUSE_SET_FEATURES)");
    }

    /** @throws LinuxException EEXIST where there is one of that name */
    public static void create(Fd control, Creation creation) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            long configBytes = creation.config.byteSize();
            MemorySegment argument = arena.allocate(CONFIG_CONFIG + configBytes, Long.BYTES);
            putName(argument, creation.name);
            argument.set(JAVA_INT, CONFIG_VENDOR_ID, creation.vendorId);
            argument.set(JAVA_INT, CONFIG_DEVICE_ID, creation.deviceId);
            argument.set(JAVA_LONG, CONFIG_FEATURES, creation.features);
            argument.set(JAVA_INT, CONFIG_VQ_NUM, creation.queueCount);
            argument.set(JAVA_INT, CONFIG_VQ_ALIGN, creation.queueAlignment);
            argument.set(JAVA_INT, CONFIG_NGROUPS, creation.groups);
            argument.set(JAVA_INT, CONFIG_NAS, creation.addressSpaces);
            argument.set(JAVA_INT, CONFIG_CONFIG_SIZE, (int) configBytes);
            MemorySegment.copy(creation.config, 0, argument, CONFIG_CONFIG, configBytes);
            LinuxException.check(
                    Libc.ioctl(control.raw(), VDUSE_CREATE_DEV, argument.address()),
                    "ioctl(VDUSE_CREATE_DEV)",
                    creation.name);
        }
    }

    /** @throws LinuxException EINVAL where there is none of that name, EBUSY where it is open or a vDPA device uses it */
    public static void destroy(Fd control, String name) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(VDUSE_NAME_MAX);
            putName(argument, name);
            LinuxException.check(
                    Libc.ioctl(control.raw(), VDUSE_DESTROY_DEV, argument.address()), "ioctl(VDUSE_DESTROY_DEV)", name);
        }
    }

    private static void putName(MemorySegment argument, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length >= VDUSE_NAME_MAX) {
            throw new IllegalArgumentException(
                    "VDUSE device name '%s' is not of 1 to %d bytes".formatted(name, VDUSE_NAME_MAX - 1));
        }
        MemorySegment.copy(bytes, 0, argument, JAVA_BYTE, 0, bytes.length);
    }

    // ---- the file of a device ----

    /** Where the device file of a device is. */
    public static Path path(String name) {
        return FOLDER.resolve(name);
    }

    /**
     * Opens a device, non-blocking.
     *
     * @throws LinuxException EBUSY where somebody has it open
     */
    public static Fd open(String name) throws LinuxException {
        return FileIo.open(path(name), FileIo.O_RDWR | FileIo.O_NONBLOCK, 0);
    }

    /** Settles the size of a queue, which has to be done for each before a vDPA device can be made of the device. */
    public static void setupQueue(Fd device, int queue, int maxSize) throws LinuxException {
        MemorySegment argument = cleared(VQ_BYTES);
        argument.set(JAVA_INT, VQ_INDEX, queue);
        argument.set(JAVA_SHORT, VQ_MAX_SIZE, (short) maxSize);
        call(device, VDUSE_VQ_SETUP, argument, "ioctl(VDUSE_VQ_SETUP)");
    }

    /**
     * Takes the next message.
     *
     * @param buffer native, {@link VduseRequest#BYTES} bytes
     * @return null where there is none
     */
    public static @Nullable VduseRequest receive(Fd device, MemorySegment buffer) throws LinuxException {
        long result = FileIo.pread(device.raw(), buffer.address(), REQUEST_BYTES, 0);
        if (result == -Errno.EAGAIN) {
            return null;
        }
        LinuxException.check(result, "read", device.subject());
        if (result != REQUEST_BYTES) {
            throw new LinuxException("read of %d bytes from".formatted(result), device.subject(), Errno.EIO);
        }
        return VduseRequest.of(buffer);
    }

    /** Answers a message. One that the kernel no longer waits for is no error. */
    public static void answer(Fd device, int requestId, boolean success) throws LinuxException {
        answer(device, requestId, success, 0, 0);
    }

    /** Answers the question for the state of a queue. */
    public static void answerState(Fd device, int requestId, int queue, long state) throws LinuxException {
        answer(device, requestId, true, queue, state);
    }

    private static void answer(Fd device, int requestId, boolean success, int queue, long state) throws LinuxException {
        MemorySegment response = cleared(RESPONSE_BYTES);
        response.set(JAVA_INT, RESPONSE_REQUEST_ID, requestId);
        response.set(JAVA_INT, RESPONSE_RESULT, success ? VDUSE_REQ_RESULT_OK : VDUSE_REQ_RESULT_FAILED);
        response.set(JAVA_INT, RESPONSE_VQ_STATE_INDEX, queue);
        putState(response, RESPONSE_VQ_STATE_SPLIT, state);
        long result = FileIo.pwrite(device.raw(), response.address(), RESPONSE_BYTES, 0);
        if (result != -Errno.ENOENT) {
            LinuxException.check(result, "write", device.subject());
        }
    }

    /** The features that the driver took; valid when its status says FEATURES_OK. */
    public static long driverFeatures(Fd device) throws LinuxException {
        return get(device, VDUSE_DEV_GET_FEATURES, "ioctl(VDUSE_DEV_GET_FEATURES)");
    }

    public static QueueInfo queueInfo(Fd device, int queue) throws LinuxException {
        MemorySegment info = cleared(INFO_BYTES);
        info.set(JAVA_INT, INFO_INDEX, queue);
        call(device, VDUSE_VQ_GET_INFO, info, "ioctl(VDUSE_VQ_GET_INFO)");
        return new QueueInfo(
                info.get(JAVA_INT, INFO_NUM),
                info.get(JAVA_LONG, INFO_DESC_ADDR),
                info.get(JAVA_LONG, INFO_DRIVER_ADDR),
                info.get(JAVA_LONG, INFO_DEVICE_ADDR),
                state(info, INFO_SPLIT),
                info.get(JAVA_BYTE, INFO_READY) != 0);
    }

    /** What the kernel signals when the driver kicks; forgotten at a reset. One of the driver's earlier kicks comes at once. */
    public static void kick(Fd device, int queue, EventFd kick) throws LinuxException {
        MemorySegment argument = cleared(EVENTFD_BYTES);
        argument.set(JAVA_INT, EVENTFD_INDEX, queue);
        argument.set(JAVA_INT, EVENTFD_FD, kick.raw());
        call(device, VDUSE_VQ_SETUP_KICKFD, argument, "ioctl(VDUSE_VQ_SETUP_KICKFD)");
    }

    /**
     * Signals the driver of a queue. For the data path: a negative error number where that failed, of which EINVAL is a
     * device that is not started yet, or suspended.
     *
     * @param queueAddress where the queue's index lies, 32 bits
     */
    public static int interrupt(int device, long queueAddress) {
        return Libc.ioctl(device, VDUSE_VQ_INJECT_IRQ, queueAddress);
    }

    /** Overwrites the whole configuration space, as drivers read it. */
    public static void config(Fd device, MemorySegment config) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(DATA_BUFFER + config.byteSize(), Long.BYTES);
            argument.set(JAVA_INT, DATA_OFFSET, 0);
            argument.set(JAVA_INT, DATA_LENGTH, (int) config.byteSize());
            MemorySegment.copy(config, 0, argument, DATA_BUFFER, config.byteSize());
            call(device, VDUSE_DEV_SET_CONFIG, argument, "ioctl(VDUSE_DEV_SET_CONFIG)");
        }
    }

    /**
     * Tells the driver that the configuration space changed.
     *
     * @return false where the device is not started, so that nobody is told
     */
    public static boolean configInterrupt(Fd device) throws LinuxException {
        int result = Libc.ioctl(device.raw(), VDUSE_DEV_INJECT_CONFIG_IRQ, 0);
        if (result == -Errno.EINVAL) {
            return false;
        }
        LinuxException.check(result, "ioctl(VDUSE_DEV_INJECT_CONFIG_IRQ)", device.subject());
        return true;
    }

    /**
     * The first piece of the I/O address space at or after an address.
     *
     * @return null where there is none
     */
    public static @Nullable Entry entry(Fd device, long start) throws LinuxException {
        MemorySegment argument = cleared(IOTLB_BYTES);
        argument.set(JAVA_LONG, IOTLB_START, start);
        argument.set(JAVA_LONG, IOTLB_LAST, -1);
        int result = Libc.ioctl(device.raw(), VDUSE_IOTLB_GET_FD, argument.address());
        if (result == -Errno.EINVAL) {
            return null;
        }
        LinuxException.check(result, "ioctl(VDUSE_IOTLB_GET_FD)", device.subject());
        Entry entry = new Entry(
                Fd.adopt(result, "memory of " + device.subject()),
                argument.get(JAVA_LONG, IOTLB_OFFSET),
                argument.get(JAVA_LONG, IOTLB_START),
                argument.get(JAVA_LONG, IOTLB_LAST),
                argument.get(JAVA_BYTE, IOTLB_PERM));
        // The kernel does not; a refusal would show at the next call.
        Libc.fcntl(result, F_SETFD, FD_CLOEXEC);
        return entry;
    }

    /**
     * Whether a descriptor of an {@link Entry} is the kernel's own memory for a driver of the host, all pieces of which lie in
     * one file, at their I/O addresses, and come and go there without a word.
     */
    public static boolean isKernelMemory(Fd fd) throws IOException {
        int raw = fd.beginUse();
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(raw)))
                    .toString()
                    .equals(DOMAIN);
        } finally {
            fd.endUse();
        }
    }

    // ---- common ----

    private static long state(MemorySegment segment, int offset) {
        long state = 0;
        for (int i = 3; i >= 0; i--) {
            state = state << 16 | Short.toUnsignedLong(segment.get(JAVA_SHORT, offset + 2L * i));
        }
        return state;
    }

    private static void putState(MemorySegment segment, int offset, long state) {
        for (int i = 0; i < 4; i++) {
            segment.set(JAVA_SHORT, offset + 2L * i, (short) (state >>> (16 * i)));
        }
    }

    private static MemorySegment cleared(int byteCount) {
        MemorySegment argument = Libc.scratch().asSlice(0, byteCount);
        argument.fill((byte) 0);
        return argument;
    }

    private static void call(Fd fd, long request, MemorySegment argument, String call) throws LinuxException {
        LinuxException.check(Libc.ioctl(fd.raw(), request, argument.address()), call, fd.subject());
    }

    private static long get(Fd fd, long request, String call) throws LinuxException {
        MemorySegment value = Libc.scratch();
        call(fd, request, value, call);
        return value.get(JAVA_LONG, 0);
    }

    private static void set(Fd fd, long request, long value, String call) throws LinuxException {
        MemorySegment argument = Libc.scratch();
        argument.set(JAVA_LONG, 0, value);
        call(fd, request, argument, call);
    }
}
