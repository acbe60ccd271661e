package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.node.MachineOption;
import io.fairlead.node.Node;
import io.fairlead.node.NodeDevice;
import io.fairlead.node.NodeOptions;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.blkio.StorageDaemon;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.relay.RelayDevice;
import io.fairlead.vhostuser.client.VhostUserBackend;
import io.fairlead.vhostuser.client.VhostUserBackendSettings;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** One of two hosts: a disk of some vendor, served by Fairlead, and the node that moves its machine. One thread. */
final class VendorHost implements AutoCloseable {
    static final String MACHINE = "vm0";
    private static final String DISK = "disk0";
    private static final int QUEUES = 2;

    /** What qemu-storage-daemon's disks are by themselves. */
    private static final int BLOCK_BYTES = 512;

    private static final String VOLUME = "data";
    private static final String SERIAL = "fairlead-data";
    private static final Duration DRAIN_DEADLINE = Duration.ofSeconds(10);

    private final DiskKind kind;
    private final QemuRelease release;
    private final Path folder;
    private final Deque<Part> owned = new ArrayDeque<>();
    private final VdpaDevice device;
    private final Node node;
    private @Nullable BlkDevice software;
    private @Nullable RelayDevice relay;

    private interface Part {
        void close() throws IOException;
    }

    /**
     * @param folder of the host alone, with a short path
     * @param certificates the host's
     * @param plainest whether a disk of Fairlead's own has to be as the daemon's are
     * @param shown makes of the disk what QEMU and the node see
     */
    VendorHost(
            DiskKind kind,
            QemuRelease release,
            Path folder,
            Path certificates,
            Path image,
            boolean plainest,
            UnaryOperator<VdpaDevice> shown)
            throws IOException {
        this.kind = kind;
        this.release = release;
        this.folder = Files.createDirectories(folder);
        boolean done = false;
        try {
            // The last goes first: the node, the socket, the disk, what serves it.
            EventLoopGroup loops = new EventLoopGroup(2);
            owned.push(loops::close);
            device = shown.apply(kind.isDaemon() ? daemonDisk(image, loops) : ownDisk(image, plainest, loops));
            owned.push(device::close);
            VhostUserServer server = new VhostUserServer();
            owned.push(server::close);
            NodeOptions options = new NodeOptions(
                    folder.getFileName().toString(),
                    folder.resolve("state"),
                    control(),
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                    certificates);
            node = new Node(
                    options,
                    List.of(new MachineOption(MACHINE, monitor(), List.of(DISK))),
                    Map.of(DISK, new NodeDevice(device, server, socket())));
            owned.push(node::close);
            done = true;
        } finally {
            if (!done) {
                close();
            }
        }
    }

    private VdpaDevice ownDisk(Path image, boolean plainest, EventLoopGroup loops) throws IOException {
        BlkSettings settings = BlkSettings.of(image)
                .withLocked(false)
                .withQueueCount(QUEUES)
                .withVolume(VOLUME)
                .withSerial(SERIAL);
        if (plainest) {
            settings = settings.withFeatures(~(Feature.RING_PACKED | Feature.RING_RESET))
                    .withPhysicalBlockSizeBytes(BLOCK_BYTES);
        }
        BlkDevice disk = BlkDevice.create(DISK, settings, loops);
        software = disk;
        return kind.isRelayed() ? relayed(ObservedDevice.withCapabilities(disk, kind.capabilities()), loops) : disk;
    }

    private VdpaDevice daemonDisk(Path image, EventLoopGroup loops) throws IOException {
        Path socket = folder.resolve("daemon.sock");
        StorageDaemon daemon = StorageDaemon.start(new StorageDaemon.Spec(
                Lab.TESTBED.storageDaemon(release),
                image,
                StorageDaemon.Aio.IO_URING,
                false,
                true,
                false,
                QUEUES,
                List.of(socket)));
        owned.push(daemon::close);
        // 10.0 offers SIZE_MAX, which neither 11.1 nor Fairlead has.
        VhostUserBackend disk = VhostUserBackend.connect(
                DISK,
                VhostUserBackendSettings.of(socket, DeviceId.BLOCK)
                        .withIdentity(Map.of("volume", VOLUME, "serial", SERIAL))
                        .withFeatures(~BlkConfig.F_SIZE_MAX)
                        .withDirtyLog(!kind.isRelayed()),
                loops.next());
        return kind.isRelayed() ? relayed(disk, loops) : disk;
    }

    private VdpaDevice relayed(VdpaDevice disk, EventLoopGroup loops) {
        RelayDevice made = new RelayDevice(disk, loops, DRAIN_DEADLINE);
        relay = made;
        return made;
    }

    /** The disk for a machine at this host. */
    VhostUserDevice machineDevice(VendorCell.Rings rings) {
        return VhostUserDevice.blk(DISK, socket())
                .with("num-queues", QUEUES)
                .with("packed", rings.packed() ? "on" : "off")
                .with("indirect_desc", rings.indirect() ? "on" : "off")
                .with("event_idx", rings.eventIndex() ? "on" : "off");
    }

    /** The machine's QEMU at this host is this guest's from now on. */
    void runs(Guest guest) throws IOException {
        Files.deleteIfExists(monitor());
        Files.createSymbolicLink(monitor(), guest.nodeMonitor());
    }

    QemuRelease release() {
        return release;
    }

    private Path socket() {
        return folder.resolve("disk.sock");
    }

    private Path monitor() {
        return folder.resolve("machine.qmp");
    }

    /** Where the node takes commands. */
    Path control() {
        return folder.resolve("control.sock");
    }

    /** Where the node listens for others. */
    String address() {
        return InetAddress.getLoopbackAddress().getHostAddress() + ":" + node.port();
    }

    /** That the disk served, by the relay where it has one, and nothing failed. */
    void check() {
        assertThat(device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isZero();
        for (DeviceStatistics statistics : List.of(
                software == null ? DeviceStatistics.ofQueues(0) : software.statistics(),
                relay == null ? DeviceStatistics.ofQueues(0) : relay.relayStatistics())) {
            assertThat(statistics.total().guestFaults()).isZero();
            assertThat(statistics.total().failedRequests()).isZero();
        }
        if (software != null) {
            assertThat(software.statistics().total().requests()).isPositive();
        }
        if (relay != null) {
            Lab.report("%s: by the relay %s", kind, relay.relayStatistics().total());
            assertThat(relay.relayStatistics().total().requests()).isPositive();
        }
    }

    @Override
    public void close() throws IOException {
        IOException failure = null;
        for (Part part : owned) {
            try {
                part.close();
            } catch (IOException e) {
                failure = e;
            }
        }
        owned.clear();
        if (failure != null) {
            throw failure;
        }
    }
}
