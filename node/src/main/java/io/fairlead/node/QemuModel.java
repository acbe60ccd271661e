package io.fairlead.node;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceId;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.IntStream;

/** Which of QEMU's devices presents a device of ours. */
public final class QemuModel {
    /**
     * A node that is started again is found again soon. QEMU waits for the first connection, too, where it connects by
     * itself again, with these alone; others of its devices fail at once.
     */
    private static final Set<Integer> RECONNECTING = Set.of(DeviceId.BLOCK, DeviceId.NET, DeviceId.SCSI);

    private static final int RECONNECT_MILLIS = 100;

    private static final int SCSI_OTHER_QUEUES = 2;
    private static final int FS_OTHER_QUEUES = 1;

    private QemuModel() {}

    /** The device by its name, with all its queues. */
    public static VhostUserDevice of(VdpaDevice device, Path socket) {
        String name = device.name();
        int queues = device.queueCount();
        VhostUserDevice model = switch (device.deviceId()) {
            case DeviceId.BLOCK -> VhostUserDevice.blk(name, socket).with("num-queues", queues);
            case DeviceId.NET -> net(device, socket);
            case DeviceId.SCSI -> VhostUserDevice.scsi(name, socket).with("num_queues", queues - SCSI_OTHER_QUEUES);
            case DeviceId.FS ->
                VhostUserDevice.fs(name, socket, device.identity().getOrDefault("tag", name))
                        .with("num-request-queues", queues - FS_OTHER_QUEUES);
            case DeviceId.RNG -> VhostUserDevice.of(name, "vhost-user-rng-pci", socket);
            case DeviceId.VSOCK -> VhostUserDevice.of(name, "vhost-user-vsock-pci", socket);
            default ->
                VhostUserDevice.of(name, "vhost-user-test-device-pci", socket)
                        .with("virtio-id", device.deviceId())
                        .with("num_vqs", queues)
                        .with("vq_size", smallestQueue(device))
                        .with("config_size", device.configByteCount());
        };
        return RECONNECTING.contains(device.deviceId()) ? model.withReconnectMillis(RECONNECT_MILLIS) : model;
    }

    /** The generic device has one size for all its queues. */
    private static int smallestQueue(VdpaDevice device) {
        return IntStream.range(0, device.queueCount())
                .map(device::maxQueueSize)
                .min()
                .orElse(1);
    }

    private static VhostUserDevice net(VdpaDevice device, Path socket) {
        VhostUserDevice model =
                VhostUserDevice.net(device.name(), socket).withQueuePairs(Math.max(1, device.queueCount() / 2));
        String mac = device.identity().getOrDefault("mac", "");
        return mac.isEmpty() ? model : model.with("mac", mac);
    }
}
