package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.node.MachineOption;
import io.fairlead.node.Node;
import io.fairlead.node.NodeDevice;
import io.fairlead.node.NodeOptions;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.DeviceStatus;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** One of two hosts: a device of some vendor, served by Fairlead, and the node that moves its machine. One thread. */
final class VendorHost implements AutoCloseable {
    static final String MACHINE = "vm0";

    static final String DEVICE = "device0";

    private final HostKind kind;
    private final QemuRelease release;
    private final Path folder;
    private final Parts parts = new Parts();
    private final HostDevice served;
    private final VdpaDevice device;
    private final Node node;

    /**
     * @param folder of the host alone, with a short path
     * @param certificates the host's
     * @param shown makes of the device what QEMU and the node see
     */
    VendorHost(HostKind kind, QemuRelease release, Path folder, Path certificates, UnaryOperator<VdpaDevice> shown)
            throws IOException {
        this.kind = kind;
        this.release = release;
        this.folder = Files.createDirectories(folder);
        boolean done = false;
        try {
            // The last goes first: the node, the socket, the device, what serves it.
            EventLoopGroup loops = new EventLoopGroup(2);
            parts.add(loops::close);
            served = kind.make(new HostPlace(folder, release, loops, parts));
            device = shown.apply(served.device());
            parts.add(device::close);
            VhostUserServer server = new VhostUserServer();
            parts.add(server::close);
            NodeOptions options = new NodeOptions(
                    folder.getFileName().toString(),
                    folder.resolve("state"),
                    control(),
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                    certificates);
            node = new Node(
                    options,
                    List.of(new MachineOption(MACHINE, monitor(), List.of(DEVICE))),
                    Map.of(DEVICE, new NodeDevice(device, server, socket())));
            parts.add(node::close);
            done = true;
        } finally {
            if (!done) {
                close();
            }
        }
    }

    /** The device for a machine at this host. */
    VhostUserDevice machineDevice() {
        return kind.model(socket());
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
        return folder.resolve("device.sock");
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

    /** Requests that went through the relay's rings so far. */
    long relayedRequests() {
        return served.relayedRequests();
    }

    /** That the device served, by the relay where it has one, and nothing failed. */
    void check() {
        assertThat(device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isZero();
        served.check(kind.toString());
    }

    @Override
    public void close() throws IOException {
        parts.close();
    }
}
