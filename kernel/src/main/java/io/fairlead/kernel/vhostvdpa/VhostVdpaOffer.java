package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.Vhost;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * What a device of the kernel said of itself when it was opened.
 *
 * @param deviceId virtio device id
 * @param features virtio feature bits of the device
 * @param backendFeatures as masks, what of the kernel's interface is in use: those offered that are known here
 * @param queueSizes the most entries of each queue, powers of two
 * @param groups the group of each queue's buffers; empty where the device has none
 * @param descriptorGroups the group of each queue's rings, where they have one of their own
 * @param groupCount groups of queues that share an address space
 * @param addressSpaceCount address spaces
 * @param configByteCount bytes of the configuration space that a driver sees
 * @param firstAddress the lowest address that can be mapped
 * @param lastAddress the highest, unsigned
 * @param tellsStates whether it tells where its queues stand, and starts where they stood
 * @param deviceBufferByteCount bytes of the device's own state in openEuler's interface; empty elsewhere
 * @param byteLog whether that interface's log has a byte for each page
 * @param queuePairs of a network device that can have several, with a control queue behind them by which their number in
 *     use is said: how many it has; else 1
 * @param make who made it, such as {@code pci 19e5:0206 19e5:0051}; empty where nobody tells
 */
public record VhostVdpaOffer(
        int deviceId,
        long features,
        long backendFeatures,
        List<Integer> queueSizes,
        List<OptionalInt> groups,
        List<OptionalInt> descriptorGroups,
        int groupCount,
        int addressSpaceCount,
        int configByteCount,
        long firstAddress,
        long lastAddress,
        boolean tellsStates,
        OptionalInt deviceBufferByteCount,
        boolean byteLog,
        int queuePairs,
        String make) {
    /** A queue's index is 16 bits; nobody has so many. */
    private static final int MAX_QUEUES = 1024;

    private static final int MAX_CONFIG_BYTES = 256;
    static final int MAX_DEVICE_BUFFER_BYTES = 64 << 20;

    /** What is made use of, where it is offered. */
    private static final long WANTED_BACKEND = 1L << Vhost.VHOST_BACKEND_F_IOTLB_MSG_V2
            | 1L << Vhost.VHOST_BACKEND_F_IOTLB_BATCH
            | 1L << Vhost.VHOST_BACKEND_F_IOTLB_ASID
            | 1L << Vhost.VHOST_BACKEND_F_SUSPEND
            | 1L << Vhost.VHOST_BACKEND_F_RESUME
            | 1L << Vhost.VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK
            | 1L << Vhost.VHOST_BACKEND_F_IOTLB_PERSIST;

    /**
     * Not for the driver: what takes more of a front-end than eventfds and guest addresses. ACCESS_PLATFORM is between us and
     * the device, whose addresses are those of the memory table; the driver needs no IOMMU.
     */
    private static final long NOT_FOR_DRIVERS = Feature.VHOST_LOG_ALL
            | Feature.VHOST_USER_PROTOCOL_FEATURES
            | Feature.ACCESS_PLATFORM
            | Feature.SR_IOV
            | Feature.NOTIFICATION_DATA
            | Feature.NOTIF_CONFIG_DATA
            | Feature.RING_RESET
            | Feature.ADMIN_VQ
            | Feature.SUSPEND;

    /** Control queues are the front-end's: what is set by them does not come here, but for how many pairs run. */
    private static final long NET_CONTROL = NetConfig.F_CTRL_VQ
            | NetConfig.F_CTRL_RX
            | NetConfig.F_CTRL_RX_EXTRA
            | NetConfig.F_CTRL_VLAN
            | NetConfig.F_CTRL_MAC_ADDR
            | NetConfig.F_CTRL_GUEST_OFFLOADS
            | NetConfig.F_GUEST_ANNOUNCE
            | NetConfig.F_MQ
            | NetConfig.F_RSS
            | NetConfig.F_HASH_REPORT
            | NetConfig.F_HASH_TUNNEL
            | NetConfig.F_VQ_NOTF_COAL
            | NetConfig.F_NOTF_COAL
            | NetConfig.F_DEVICE_STATS;

    public VhostVdpaOffer {
        queueSizes = List.copyOf(queueSizes);
        groups = List.copyOf(groups);
        descriptorGroups = List.copyOf(descriptorGroups);
    }

    /** Asks a device that was just opened, and says which of the kernel's interface is used. */
    static VhostVdpaOffer discover(VhostVdpaLink link) throws IOException {
        link.own();
        long offered = link.backendFeatures();
        long used = offered & WANTED_BACKEND;
        boolean byteLog = (offered & 1L << Vhost.EULER_BACKEND_F_BYTEMAP_LOG) != 0;
        if (used != 0) {
            link.backendFeatures(byteLog ? used | 1L << Vhost.EULER_BACKEND_F_BYTEMAP_LOG : used);
        }
        if ((used & 1L << Vhost.VHOST_BACKEND_F_IOTLB_MSG_V2) == 0) {
            throw new IOException("%s: the kernel is too old: it does not know version 2 of IOTLB messages (Linux 5.7)"
                    .formatted(link.path()));
        }
        int deviceId = link.deviceId();
        long features = link.features();
        int max = link.maxQueueSize();
        int count = queueCount(link, deviceId);
        List<Integer> sizes = IntStream.range(0, count)
                .mapToObj(queue -> size(max, link.queueSize(queue)))
                .toList();
        boolean grouped = (used & 1L << Vhost.VHOST_BACKEND_F_IOTLB_ASID) != 0;
        long[] range = link.iovaRange();
        OptionalInt buffer = link.deviceBufferByteCount();
        if (buffer.orElse(0) < 0 || buffer.orElse(0) > MAX_DEVICE_BUFFER_BYTES) {
            throw new IOException("%s: the device says that its own state has %s bytes"
                    .formatted(link.path(), Integer.toUnsignedString(buffer.getAsInt())));
        }
        return new VhostVdpaOffer(
                deviceId,
                features,
                used,
                sizes,
                IntStream.range(0, count).mapToObj(link::group).toList(),
                IntStream.range(0, count).mapToObj(link::descriptorGroup).toList(),
                grouped ? link.groupCount() : 1,
                grouped ? link.addressSpaceCount() : 1,
                configByteCount(link.configByteCount(), deviceId),
                range[0],
                range[1],
                link.tellsBase(),
                buffer,
                byteLog,
                queuePairs(link, deviceId, features, count),
                link.make());
    }

    /** Pairs of queues; 1 where there is no control queue behind them. */
    private static int queuePairs(VhostVdpaLink link, int deviceId, long features, int queueCount) throws IOException {
        if (deviceId != DeviceId.NET
                || !Feature.has(features, NetConfig.F_MQ)
                || !Feature.has(features, NetConfig.F_CTRL_VQ)) {
            return 1;
        }
        MemorySegment config = MemorySegment.ofArray(new byte[NetConfig.MAX_VIRTQUEUE_PAIRS.end()]);
        link.readConfig(0, config);
        int pairs = (int) NetConfig.MAX_VIRTQUEUE_PAIRS.read(config);
        return pairs >= 1 && 2 * pairs < queueCount ? pairs : 1;
    }

    private static int queueCount(VhostVdpaLink link, int deviceId) throws IOException {
        OptionalInt told = link.queueCount();
        int count = told.orElse(deviceId == DeviceId.NET ? 2 : 1);
        if (count < 1 || count > MAX_QUEUES) {
            throw new IOException("%s: the kernel says that the device has %s queues"
                    .formatted(link.path(), Integer.toUnsignedString(count)));
        }
        return count;
    }

    private static int size(int max, OptionalInt own) {
        int size = own.isPresent() && own.getAsInt() > 0 ? Math.min(max, own.getAsInt()) : max;
        return Integer.highestOneBit(Math.max(size, 1));
    }

    /** A device that is a PCI function says how large its window is, such as 4096. */
    static int configByteCount(int told, int deviceId) {
        if (told >= 0 && told <= MAX_CONFIG_BYTES) {
            return told;
        }
        List<ConfigField> fields = ConfigField.of(deviceId);
        return fields.isEmpty() ? MAX_CONFIG_BYTES : (fields.getLast().end() + 3) & -4;
    }

    /**
     * The feature bits that a driver may take.
     *
     * @param queueCount how many of the queues are used
     */
    long driverFeatures(int queueCount) {
        long all = features & ~NOT_FOR_DRIVERS;
        if (deviceId != DeviceId.NET) {
            return all;
        }
        boolean several = queueCount > 2;
        // See ControlQueue for why it is not packed beside the guest's memory.
        long packed = several && controlAddressSpace() == 0 ? Feature.RING_PACKED : 0;
        return all & ~packed & ~(several ? NET_CONTROL & ~NetConfig.F_MQ : NET_CONTROL);
    }

    /**
     * What the device has to be told besides the driver's features.
     *
     * @param driverFeatures what the driver took
     */
    long ownFeatures(long driverFeatures) {
        long control = Feature.has(driverFeatures, NetConfig.F_MQ) && queuePairs > 1 ? NetConfig.F_CTRL_VQ : 0;
        return features & (Feature.ACCESS_PLATFORM | control);
    }

    /** Queues that a driver can have. The control queue of network devices is not for drivers. */
    int driverQueueCount() {
        return deviceId == DeviceId.NET ? Math.min(2 * queuePairs, queueSizes.size()) : queueSizes.size();
    }

    /** The index of the control queue, where there is one with {@link #queuePairs} above 1 (virtio 1.4, 5.1.2). */
    int controlQueue() {
        return 2 * queuePairs;
    }

    /** The address space of the control queue: 0, as of all others, or one of its own where its group can have one. */
    int controlAddressSpace() {
        if (queuePairs == 1 || addressSpaceCount < 2) {
            return 0;
        }
        OptionalInt own = groups.get(controlQueue());
        boolean alone = own.isPresent()
                && own.getAsInt() < groupCount
                && IntStream.range(0, controlQueue())
                        .noneMatch(queue -> groups.get(queue).equals(own)
                                || descriptorGroups.get(queue).equals(own));
        return alone ? 1 : 0;
    }

    private boolean has(int backendFeature) {
        return (backendFeatures & 1L << backendFeature) != 0;
    }

    boolean batches() {
        return has(Vhost.VHOST_BACKEND_F_IOTLB_BATCH);
    }

    /** Whether it can be stopped where it stands. */
    boolean suspends() {
        return has(Vhost.VHOST_BACKEND_F_SUSPEND) && tellsStates;
    }

    boolean resumes() {
        return has(Vhost.VHOST_BACKEND_F_RESUME);
    }

    /** Whether a reset leaves the mapped memory as it is. */
    boolean keepsMappings() {
        return has(Vhost.VHOST_BACKEND_F_IOTLB_PERSIST);
    }

    /** Whether it logs the pages that it writes. */
    boolean logs() {
        return deviceBufferByteCount.isPresent() && Feature.has(features, Feature.VHOST_LOG_ALL);
    }

    /** Whether another offer can stand in for this one, under a driver that knows this one. */
    boolean isMatchedBy(VhostVdpaOffer other) {
        if (other.deviceId != deviceId
                || (features & ~other.features) != 0
                || other.configByteCount != configByteCount
                || other.tellsStates != tellsStates
                || other.suspends() != suspends()
                || other.queuePairs != queuePairs
                || other.queueSizes.size() < queueSizes.size()) {
            return false;
        }
        return IntStream.range(0, queueSizes.size())
                .allMatch(queue -> other.queueSizes.get(queue) >= queueSizes.get(queue));
    }

    /** Reads the configuration space. */
    byte[] config(VhostVdpaLink link) throws IOException {
        byte[] bytes = new byte[configByteCount];
        if (configByteCount > 0) {
            link.readConfig(0, MemorySegment.ofArray(bytes));
        }
        return bytes;
    }
}
