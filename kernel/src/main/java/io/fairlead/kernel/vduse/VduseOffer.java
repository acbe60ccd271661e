package io.fairlead.kernel.vduse;

import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import java.util.Set;

/**
 * What of a device the kernel takes: VDUSE knows disks, network cards and file systems, and nothing that a driver could
 * change by the configuration space or a control queue.
 *
 * @param features those offered
 * @param queueCount the first of the device's queues
 */
record VduseOffer(long features, int queueCount) {
    private static final Set<Integer> TYPES = Set.of(DeviceId.BLOCK, DeviceId.NET, DeviceId.FS);

    /**
     * The control queue, and what makes no sense without it. MQ is among that: more than the first queue pair is switched on
     * by a command.
     */
    private static final long NET_CONTROL = NetConfig.F_CTRL_VQ
            | NetConfig.F_CTRL_RX
            | NetConfig.F_CTRL_VLAN
            | NetConfig.F_CTRL_RX_EXTRA
            | NetConfig.F_CTRL_MAC_ADDR
            | NetConfig.F_CTRL_GUEST_OFFLOADS
            | NetConfig.F_GUEST_ANNOUNCE
            | NetConfig.F_MQ
            | NetConfig.F_HASH_REPORT
            | NetConfig.F_RSS
            | NetConfig.F_NOTF_COAL
            | NetConfig.F_VQ_NOTF_COAL;

    /** No request of VDUSE sets up a queue again while the device runs. */
    private static final long NEVER = Feature.RING_RESET | Feature.NOTIFICATION_DATA | Feature.SUSPEND;

    private static final int NET_QUEUES = 2;

    /** @throws IllegalArgumentException where VDUSE cannot present the device: says why, and what would help */
    static VduseOffer of(VdpaDevice device) {
        if (!TYPES.contains(device.deviceId())) {
            throw new IllegalArgumentException(
                    "%s: the kernel's VDUSE takes blk, net and fs, not %s; present it by socket="
                            .formatted(device.name(), DeviceId.name(device.deviceId())));
        }
        if (!device.capabilities().contains(VdpaDevice.Capability.INFLIGHT)) {
            throw new IllegalArgumentException(
                    "%s: VDUSE presents devices that this process serves itself; present another daemon's by socket="
                            .formatted(device.name()));
        }
        long offered = (device.deviceFeatures() & ~NEVER) | Feature.ACCESS_PLATFORM;
        return switch (device.deviceId()) {
            case DeviceId.NET -> net(device, offered);
            case DeviceId.BLOCK -> new VduseOffer(offered & ~BlkConfig.F_CONFIG_WCE, device.queueCount());
            default -> new VduseOffer(offered, device.queueCount());
        };
    }

    private static VduseOffer net(VdpaDevice device, long offered) {
        if (Feature.has(offered, NetConfig.F_MQ)) {
            throw new IllegalArgumentException(
                    ("%s: the kernel takes a network card's control queue not by VDUSE, and without it there is one queue"
                                    + " pair: leave out queues=, or present the card by socket=")
                            .formatted(device.name()));
        }
        return new VduseOffer(offered & ~NET_CONTROL, NET_QUEUES);
    }

    /** The driver's choice as the device understands it. */
    static long ofDevice(long driverFeatures) {
        return driverFeatures & ~Feature.ACCESS_PLATFORM;
    }
}
