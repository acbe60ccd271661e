package io.fairlead.systemtests;

import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.testbed.blkio.StorageDaemon;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vhostuser.client.VhostUserBackend;
import io.fairlead.vhostuser.client.VhostUserBackendSettings;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Disks that need nothing of the kernel: Fairlead's own, and another daemon's behind a vhost-user socket. */
enum VendorDisk implements DiskKind {
    FAIRLEAD("Fairlead"),
    /** Without a log of its own. */
    FAIRLEAD_RELAYED("Fairlead behind the relay"),
    /** Without a log, and its queues cannot stop one by one. */
    FAIRLEAD_SUSPENDED("Fairlead behind the relay, suspended"),
    /** Without a log, and only a reset stops it; it does not tell where its rings stand. */
    FAIRLEAD_DRAINED("Fairlead behind the relay, drained"),
    STORAGE_DAEMON("qemu-storage-daemon"),
    /** Its log is not used. */
    STORAGE_DAEMON_RELAYED("qemu-storage-daemon behind the relay");

    private static final int MAX_QUEUES = 2;

    /** What other vendors' disks are by themselves, whatever the storage says. */
    private static final int BLOCK_BYTES = 512;

    private static final long ALL_FEATURES = -1;

    private final String label;

    VendorDisk(String label) {
        this.label = label;
    }

    private boolean isDaemon() {
        return this == STORAGE_DAEMON || this == STORAGE_DAEMON_RELAYED;
    }

    private boolean isRelayed() {
        return this != FAIRLEAD && this != STORAGE_DAEMON;
    }

    @Override
    public long features() {
        return isDaemon() ? ~(Feature.RING_PACKED | Feature.RING_RESET) : ALL_FEATURES;
    }

    @Override
    public int maxQueues() {
        return MAX_QUEUES;
    }

    @Override
    public HostDevice make(HostPlace place, DiskNeeds needs) throws IOException {
        return isDaemon() ? daemonDisk(place, needs) : ownDisk(place, needs);
    }

    private HostDevice ownDisk(HostPlace place, DiskNeeds needs) throws IOException {
        BlkSettings settings = BlkSettings.of(needs.image())
                .withLocked(false)
                .withDirect(needs.isBlockDevice())
                .withQueueCount(needs.queues())
                .withVolume(DiskNeeds.VOLUME)
                .withSerial(DiskNeeds.SERIAL)
                .withFeatures(needs.features());
        if (needs.features() != ALL_FEATURES) {
            settings = settings.withBlockSizeBytes(BLOCK_BYTES).withPhysicalBlockSizeBytes(BLOCK_BYTES);
        }
        BlkDevice disk = BlkDevice.create(VendorHost.DEVICE, settings, place.loops());
        return isRelayed()
                ? HostDevice.relayed(ObservedDevice.withCapabilities(disk, capabilities()), disk, place)
                : new HostDevice(disk, disk, null);
    }

    /** Of a Fairlead disk behind the relay: what it says it can. */
    private Set<Capability> capabilities() {
        return switch (this) {
            case FAIRLEAD_RELAYED ->
                Set.of(
                        Capability.SUSPEND,
                        Capability.RESUME,
                        Capability.QUEUE_STOP,
                        Capability.QUEUE_STATE,
                        Capability.INFLIGHT);
            case FAIRLEAD_SUSPENDED ->
                Set.of(Capability.SUSPEND, Capability.RESUME, Capability.QUEUE_STATE, Capability.INFLIGHT);
            case FAIRLEAD_DRAINED -> Set.of(Capability.INFLIGHT);
            case FAIRLEAD, STORAGE_DAEMON, STORAGE_DAEMON_RELAYED ->
                throw new IllegalStateException(this + " says itself what it can");
        };
    }

    private HostDevice daemonDisk(HostPlace place, DiskNeeds needs) throws IOException {
        Path socket = place.folder().resolve("daemon.sock");
        StorageDaemon daemon = StorageDaemon.start(new StorageDaemon.Spec(
                Lab.TESTBED.storageDaemon(place.release()),
                needs.image(),
                StorageDaemon.Aio.IO_URING,
                false,
                true,
                false,
                needs.queues(),
                List.of(socket)));
        place.parts().add(daemon::close);
        // 10.0 offers SIZE_MAX, which neither 11.1 nor Fairlead has.
        VdpaDevice disk = VhostUserBackend.connect(
                VendorHost.DEVICE,
                VhostUserBackendSettings.of(socket, DeviceId.BLOCK)
                        .withIdentity(Map.of("volume", DiskNeeds.VOLUME, "serial", DiskNeeds.SERIAL))
                        .withFeatures(needs.features() & ~BlkConfig.F_SIZE_MAX)
                        .withDirtyLog(!isRelayed()),
                place.loops().next());
        return isRelayed() ? HostDevice.relayed(disk, null, place) : new HostDevice(disk, null, null);
    }

    @Override
    public String toString() {
        return label;
    }
}
