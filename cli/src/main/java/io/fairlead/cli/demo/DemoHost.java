package io.fairlead.cli.demo;

import io.fairlead.cli.host.ServedDevices;
import io.fairlead.node.DeviceOption;
import io.fairlead.node.MachineOption;
import io.fairlead.node.Node;
import io.fairlead.node.NodeDevice;
import io.fairlead.node.NodeOptions;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.blkio.StorageDaemon;
import io.fairlead.vhostuser.client.VhostUserManagement;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One of the demo's two hosts: its devices and, once the machine may come or go, its node. Everything of it lies in one
 * folder. One thread.
 */
final class DemoHost implements AutoCloseable {
    /** The machine's name at both hosts. */
    static final String MACHINE = "demo";

    private final String name;
    private final Path folder;
    private final Path certificates;
    private final ServedDevices served;
    private final Map<String, DemoDisk> disks = new LinkedHashMap<>();
    private final boolean bootsFromRoot;
    private final List<StorageDaemon> daemons = new ArrayList<>();
    private @Nullable Node node;

    /**
     * @param certificates this host's
     * @param bootsFromRoot whether firmware boots the machine from its root disk
     */
    DemoHost(String name, Path folder, Path certificates, boolean bootsFromRoot) throws IOException {
        this.name = name;
        this.folder = Files.createDirectories(folder);
        this.certificates = certificates;
        this.bootsFromRoot = bootsFromRoot;
        served = new ServedDevices(Runtime.getRuntime().availableProcessors());
    }

    /**
     * Adds a disk, served from {@link #start} on.
     *
     * @param attributes as of {@code --device}
     */
    void addDisk(String disk, String purpose, int queueCount, boolean packed, Map<String, String> attributes)
            throws IOException {
        Path socket = folder.resolve(disk + ".sock");
        NodeDevice device = served.make(new DeviceOption(disk, DeviceId.BLOCK, socket, attributes));
        VhostUserDevice machineDevice =
                VhostUserDevice.blk(disk, socket).with("num-queues", queueCount).with("packed", packed ? "on" : "off");
        boolean handedThrough = attributes.containsKey(VhostUserManagement.BACKEND);
        disks.put(disk, new DemoDisk(disk, purpose, handedThrough, device, machineDevice));
    }

    /** Starts the node when all disks are there. */
    void start() throws IOException {
        Map<String, NodeDevice> devices = new LinkedHashMap<>();
        disks.values().forEach(disk -> devices.put(disk.name(), disk.served()));
        NodeOptions options = new NodeOptions(
                name,
                folder.resolve("state"),
                control(),
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                certificates);
        node = new Node(
                options, List.of(new MachineOption(MACHINE, monitor(), List.copyOf(devices.keySet()))), devices);
    }

    /** The machine's QEMU at this host is this guest's from now on. */
    void runs(Guest guest) throws IOException {
        Files.deleteIfExists(monitor());
        Files.createSymbolicLink(monitor(), guest.nodeMonitor());
    }

    Path folder() {
        return folder;
    }

    /** Another vendor's daemon belongs to this host and ends after its devices. */
    void owns(StorageDaemon daemon) {
        daemons.add(daemon);
    }

    private Path monitor() {
        return folder.resolve("demo.qmp");
    }

    /** Where the node takes commands. */
    Path control() {
        return folder.resolve("control.sock");
    }

    /** Where the node listens for others, as {@code HOST:PORT}. */
    String address() {
        return InetAddress.getLoopbackAddress().getHostAddress() + ":"
                + Objects.requireNonNull(node, "not started").port();
    }

    String name() {
        return name;
    }

    /** Gives a machine that runs here, or is to, its disks: the same in the same order at both hosts. */
    void addDevices(GuestSpec spec) {
        for (String disk : List.of("root", "data", "fixed")) {
            VhostUserDevice device =
                    Objects.requireNonNull(disks.get(disk), disk).machineDevice();
            spec.device(bootsFromRoot && disk.equals("root") ? device.with("bootindex", 1) : device);
        }
    }

    List<DemoDisk> disks() {
        return new ArrayList<>(disks.values());
    }

    @Override
    public void close() throws IOException {
        try (served) {
            if (node != null) {
                node.close();
            }
        } finally {
            daemons.forEach(StorageDaemon::close);
        }
    }
}
