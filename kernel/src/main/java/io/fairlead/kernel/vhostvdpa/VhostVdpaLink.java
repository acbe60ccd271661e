package io.fairlead.kernel.vhostvdpa;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.fairlead.linux.Errno;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Vhost;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * One open /dev/vhost-vdpa-N: the requests of {@code linux/vhost.h} with their arguments. Opening resets the device; at the
 * end the kernel resets it, and lets go of all memory that was mapped.
 *
 * <p>Thread-safe, one request at a time.
 */
final class VhostVdpaLink implements AutoCloseable {
    /** More than any structure here; configuration spaces and device buffers have memory of their own. */
    private static final int SCRATCH_BYTES = 80;

    private final VhostCalls calls;
    private final Path path;
    private final MemorySegment scratch = Arena.ofAuto().allocate(SCRATCH_BYTES, Long.BYTES);

    VhostVdpaLink(VhostCalls calls, Path path) {
        this.calls = calls;
        this.path = path;
    }

    Path path() {
        return path;
    }

    private int attempt(long request, MemorySegment argument) {
        return calls.ioctl(request, argument);
    }

    private int demand(String name, long request, MemorySegment argument) throws LinuxException {
        int result = attempt(request, argument);
        if (result < 0) {
            throw new LinuxException("ioctl(%s)".formatted(name), path.toString(), -result);
        }
        return result;
    }

    private static boolean isAbsent(int result) {
        return result == -Errno.ENOTTY || result == -Errno.EOPNOTSUPP || result == -Errno.EINVAL;
    }

    private MemorySegment cleared() {
        return scratch.fill((byte) 0);
    }

    private MemorySegment state(int index, int number) {
        MemorySegment state = cleared();
        state.set(JAVA_INT, 0, index);
        state.set(JAVA_INT, Vhost.VRING_STATE_NUM, number);
        return state;
    }

    // ---- the device as a whole ----

    synchronized void own() throws LinuxException {
        demand("VHOST_SET_OWNER", Vhost.VHOST_SET_OWNER, MemorySegment.NULL);
    }

    synchronized int deviceId() throws LinuxException {
        demand("VHOST_VDPA_GET_DEVICE_ID", Vhost.VHOST_VDPA_GET_DEVICE_ID, cleared());
        return scratch.get(JAVA_INT, 0);
    }

    synchronized long features() throws LinuxException {
        demand("VHOST_GET_FEATURES", Vhost.VHOST_GET_FEATURES, cleared());
        return scratch.get(JAVA_LONG, 0);
    }

    synchronized void features(long features) throws LinuxException {
        cleared().set(JAVA_LONG, 0, features);
        demand("VHOST_SET_FEATURES", Vhost.VHOST_SET_FEATURES, scratch);
    }

    /** 0 where the kernel is older than that. */
    synchronized long backendFeatures() {
        return attempt(Vhost.VHOST_GET_BACKEND_FEATURES, cleared()) < 0 ? 0 : scratch.get(JAVA_LONG, 0);
    }

    synchronized void backendFeatures(long features) throws LinuxException {
        cleared().set(JAVA_LONG, 0, features);
        demand("VHOST_SET_BACKEND_FEATURES", Vhost.VHOST_SET_BACKEND_FEATURES, scratch);
    }

    synchronized int status() throws LinuxException {
        demand("VHOST_VDPA_GET_STATUS", Vhost.VHOST_VDPA_GET_STATUS, cleared());
        return Byte.toUnsignedInt(scratch.get(JAVA_BYTE, 0));
    }

    /** 0 resets; else bits may only be added. */
    synchronized void status(int status) throws LinuxException {
        cleared().set(JAVA_BYTE, 0, (byte) status);
        demand("VHOST_VDPA_SET_STATUS", Vhost.VHOST_VDPA_SET_STATUS, scratch);
    }

    /** Returns 0 and does nothing where the device has not DRIVER_OK. */
    synchronized void suspend() throws LinuxException {
        demand("VHOST_VDPA_SUSPEND", Vhost.VHOST_VDPA_SUSPEND, MemorySegment.NULL);
    }

    synchronized void resume() throws LinuxException {
        demand("VHOST_VDPA_RESUME", Vhost.VHOST_VDPA_RESUME, MemorySegment.NULL);
    }

    // ---- configuration space ----

    synchronized int configByteCount() throws LinuxException {
        demand("VHOST_VDPA_GET_CONFIG_SIZE", Vhost.VHOST_VDPA_GET_CONFIG_SIZE, cleared());
        return scratch.get(JAVA_INT, 0);
    }

    synchronized void readConfig(int offset, MemorySegment target) throws LinuxException {
        transfer("VHOST_VDPA_GET_CONFIG", Vhost.VHOST_VDPA_GET_CONFIG, offset, target, false);
    }

    synchronized void writeConfig(int offset, MemorySegment source) throws LinuxException {
        transfer("VHOST_VDPA_SET_CONFIG", Vhost.VHOST_VDPA_SET_CONFIG, offset, source, true);
    }

    /** A request whose argument is an offset, a length and as many bytes. */
    private void transfer(String name, long request, int offset, MemorySegment bytes, boolean out)
            throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(Vhost.CONFIG_SIZE + bytes.byteSize(), Long.BYTES);
            argument.set(JAVA_INT, 0, offset);
            argument.set(JAVA_INT, Vhost.CONFIG_LEN, (int) bytes.byteSize());
            MemorySegment body = argument.asSlice(Vhost.CONFIG_SIZE);
            if (out) {
                body.copyFrom(bytes);
            }
            demand(name, request, argument);
            if (!out) {
                bytes.copyFrom(body);
            }
        }
    }

    /** What is signalled when the device changes its configuration space, or sets NEEDS_RESET. */
    synchronized void configCall(EventFd call) throws LinuxException {
        cleared().set(JAVA_INT, 0, call.raw());
        demand("VHOST_VDPA_SET_CONFIG_CALL", Vhost.VHOST_VDPA_SET_CONFIG_CALL, scratch);
    }

    // ---- queues ----

    /** The most entries that any queue may have. */
    synchronized int maxQueueSize() throws LinuxException {
        demand("VHOST_VDPA_GET_VRING_NUM", Vhost.VHOST_VDPA_GET_VRING_NUM, cleared());
        return Short.toUnsignedInt(scratch.get(JAVA_SHORT, 0));
    }

    /** Empty where the kernel or the device does not tell. */
    synchronized OptionalInt queueCount() {
        return attempt(Vhost.VHOST_VDPA_GET_VQS_COUNT, cleared()) < 0
                ? OptionalInt.empty()
                : OptionalInt.of(scratch.get(JAVA_INT, 0));
    }

    /** The most entries of one queue of a device that was just reset; empty where the device does not tell. */
    synchronized OptionalInt queueSize(int queue) {
        return number(Vhost.VHOST_VDPA_GET_VRING_SIZE, queue);
    }

    /** The group of a queue's buffers; empty where there are no groups. */
    synchronized OptionalInt group(int queue) {
        return number(Vhost.VHOST_VDPA_GET_VRING_GROUP, queue);
    }

    /** The group of a queue's rings; empty where they have none of their own. */
    synchronized OptionalInt descriptorGroup(int queue) {
        return number(Vhost.VHOST_VDPA_GET_VRING_DESC_GROUP, queue);
    }

    private OptionalInt number(long request, int queue) {
        return attempt(request, state(queue, 0)) < 0
                ? OptionalInt.empty()
                : OptionalInt.of(scratch.get(JAVA_INT, Vhost.VRING_STATE_NUM));
    }

    synchronized int groupCount() {
        return attempt(Vhost.VHOST_VDPA_GET_GROUP_NUM, cleared()) < 0 ? 1 : scratch.get(JAVA_INT, 0);
    }

    synchronized int addressSpaceCount() {
        return attempt(Vhost.VHOST_VDPA_GET_AS_NUM, cleared()) < 0 ? 1 : scratch.get(JAVA_INT, 0);
    }

    /** Has a group of queues look up addresses in an address space; before DRIVER_OK. */
    synchronized void groupAddressSpace(int group, int addressSpace) throws LinuxException {
        demand("VHOST_VDPA_SET_GROUP_ASID", Vhost.VHOST_VDPA_SET_GROUP_ASID, state(group, addressSpace));
    }

    synchronized void size(int queue, int size) throws LinuxException {
        demand("VHOST_SET_VRING_NUM", Vhost.VHOST_SET_VRING_NUM, state(queue, size));
    }

    /** Addresses of the device's own view (IOVA), though the kernel calls them user addresses. */
    synchronized void addresses(int queue, long descriptors, long driver, long device) throws LinuxException {
        cleared().set(JAVA_INT, 0, queue);
        scratch.set(JAVA_LONG, Vhost.VRING_ADDR_DESC, descriptors);
        scratch.set(JAVA_LONG, Vhost.VRING_ADDR_AVAIL, driver);
        scratch.set(JAVA_LONG, Vhost.VRING_ADDR_USED, device);
        demand("VHOST_SET_VRING_ADDR", Vhost.VHOST_SET_VRING_ADDR, scratch);
    }

    synchronized void base(int queue, int base) throws LinuxException {
        demand("VHOST_SET_VRING_BASE", Vhost.VHOST_SET_VRING_BASE, state(queue, base));
    }

    synchronized int base(int queue) throws LinuxException {
        demand("VHOST_GET_VRING_BASE", Vhost.VHOST_GET_VRING_BASE, state(queue, 0));
        return scratch.get(JAVA_INT, Vhost.VRING_STATE_NUM);
    }

    /** Whether the device tells where its queues stand. */
    synchronized boolean tellsBase() throws LinuxException {
        int result = attempt(Vhost.VHOST_GET_VRING_BASE, state(0, 0));
        if (result < 0 && !isAbsent(result)) {
            throw new LinuxException("ioctl(VHOST_GET_VRING_BASE)", path.toString(), -result);
        }
        return result >= 0;
    }

    synchronized void enable(int queue, boolean enabled) throws LinuxException {
        demand("VHOST_VDPA_SET_VRING_ENABLE", Vhost.VHOST_VDPA_SET_VRING_ENABLE, state(queue, enabled ? 1 : 0));
    }

    synchronized void kick(int queue, @Nullable EventFd event) throws LinuxException {
        demand("VHOST_SET_VRING_KICK", Vhost.VHOST_SET_VRING_KICK, file(queue, event));
    }

    synchronized void call(int queue, @Nullable EventFd event) throws LinuxException {
        demand("VHOST_SET_VRING_CALL", Vhost.VHOST_SET_VRING_CALL, file(queue, event));
    }

    synchronized void error(int queue, @Nullable EventFd event) throws LinuxException {
        demand("VHOST_SET_VRING_ERR", Vhost.VHOST_SET_VRING_ERR, file(queue, event));
    }

    private MemorySegment file(int queue, @Nullable EventFd event) {
        return state(queue, event == null ? -1 : event.raw());
    }

    // ---- memory ----

    /** First and last address that can be mapped; both unsigned. */
    synchronized long[] iovaRange() {
        return attempt(Vhost.VHOST_VDPA_GET_IOVA_RANGE, cleared()) < 0
                ? new long[] {0, -1}
                : new long[] {scratch.get(JAVA_LONG, 0), scratch.get(JAVA_LONG, Vhost.IOVA_RANGE_LAST)};
    }

    /** One message to the IOTLB, {@code VHOST_IOTLB_*}. The kernel answers nearly every failure with EFAULT. */
    synchronized void iotlb(int type, int addressSpace, long iova, long byteCount, long userAddress)
            throws LinuxException {
        int access = type == Vhost.VHOST_IOTLB_UPDATE ? Vhost.VHOST_ACCESS_RW : 0;
        iotlb(type, addressSpace, iova, byteCount, userAddress, access);
    }

    /** @param access {@code VHOST_ACCESS_*}: what the device may do there */
    synchronized void map(int addressSpace, long iova, long byteCount, long userAddress, int access)
            throws LinuxException {
        iotlb(Vhost.VHOST_IOTLB_UPDATE, addressSpace, iova, byteCount, userAddress, access);
    }

    private void iotlb(int type, int addressSpace, long iova, long byteCount, long userAddress, int access)
            throws LinuxException {
        cleared().set(JAVA_INT, 0, Vhost.VHOST_IOTLB_MSG_V2);
        scratch.set(JAVA_INT, Vhost.MSG_V2_ASID, addressSpace);
        scratch.set(JAVA_LONG, Vhost.MSG_V2_IOVA, iova);
        scratch.set(JAVA_LONG, Vhost.MSG_V2_BYTES, byteCount);
        scratch.set(JAVA_LONG, Vhost.MSG_V2_UADDR, userAddress);
        scratch.set(JAVA_BYTE, Vhost.MSG_V2_PERM, (byte) access);
        scratch.set(JAVA_BYTE, Vhost.MSG_V2_TYPE, (byte) type);
        long written = calls.write(scratch.asSlice(0, Vhost.MSG_V2_SIZE));
        if (written < 0) {
            throw new LinuxException("write(IOTLB message %d)".formatted(type), path.toString(), (int) -written);
        }
    }

    // ---- migration, in the kernels of openEuler ----

    /** Bytes of the device's own state; empty where the kernel has no such interface. */
    synchronized OptionalInt deviceBufferByteCount() {
        return attempt(Vhost.EULER_GET_DEV_BUFFER_SIZE, cleared()) < 0
                ? OptionalInt.empty()
                : OptionalInt.of(scratch.get(JAVA_INT, 0));
    }

    synchronized void readDeviceBuffer(int offset, MemorySegment target) throws LinuxException {
        transfer("VHOST_GET_DEV_BUFFER", Vhost.EULER_GET_DEV_BUFFER, offset, target, false);
    }

    synchronized void writeDeviceBuffer(int offset, MemorySegment source) throws LinuxException {
        transfer("VHOST_SET_DEV_BUFFER", Vhost.EULER_SET_DEV_BUFFER, offset, source, true);
    }

    /** Tells where a migration is, {@code EULER_MIG_STATE_*}; false where the kernel knows no such word. */
    synchronized boolean isToldMigrationState(int state) throws LinuxException {
        cleared().set(JAVA_BYTE, 0, (byte) state);
        int result = attempt(Vhost.EULER_SET_MIG_STATE, scratch);
        // A kernel that does not know it takes the argument for the index of a queue.
        if (result < 0 && result != -Errno.ENOTTY && result != -Errno.EOPNOTSUPP && result != -Errno.ENOBUFS) {
            throw new LinuxException("ioctl(VHOST_VDPA_SET_MIG_STATE)", path.toString(), -result);
        }
        return result >= 0;
    }

    /** See {@link VhostCalls#make}. */
    String make() throws IOException {
        return calls.make();
    }

    /** Where the device puts what it wrote; stays the caller's. */
    synchronized void log(MemorySegment log) throws LinuxException {
        cleared().set(JAVA_LONG, 0, log.byteSize());
        demand("VHOST_SET_LOG_SIZE", Vhost.EULER_SET_LOG_SIZE, scratch);
        cleared().set(JAVA_LONG, 0, log.address());
        demand("VHOST_SET_LOG_BASE", Vhost.VHOST_SET_LOG_BASE, scratch);
    }

    synchronized void syncLog() throws LinuxException {
        demand("VHOST_LOG_SYNC", Vhost.EULER_LOG_SYNC, MemorySegment.NULL);
    }

    @Override
    public void close() {
        calls.close();
    }

    /** Whether a failure says that the device is not there any more. */
    static boolean isGone(IOException e) {
        return e instanceof LinuxException linux
                && (linux.errno() == Errno.ENODEV || linux.errno() == Errno.ENXIO || linux.errno() == Errno.EBADF);
    }
}
