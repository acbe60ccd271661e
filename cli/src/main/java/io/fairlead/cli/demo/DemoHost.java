package io.fairlead.cli.demo;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.kernel.vhostvdpa.VhostVdpaManagement;
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
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
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

    private static final long POLL_MILLIS = 20;

    private final String name;
    private final Path folder;
    private final Path certificates;
    private final ServedDevices served;
    private final Map<String, DemoDevice> devices = new LinkedHashMap<>();
    private final boolean bootsFromRoot;
    private final List<StorageDaemon> daemons = new ArrayList<>();
    private @Nullable Node node;

    /**
     * @param certificates this host's
     * @param bootsFromRoot whether firmware boots the machine from its root disk
     * @param served this host's, without devices; the host's from now on
     */
    DemoHost(String name, Path folder, Path certificates, boolean bootsFromRoot, ServedDevices served)
            throws IOException {
        this.name = name;
        this.folder = Files.createDirectories(folder);
        this.certificates = certificates;
        this.bootsFromRoot = bootsFromRoot;
        this.served = served;
    }

    /**
     * Adds a device, served from {@link #start} on.
     *
     * @param machineDevice QEMU's side of it, at its socket of {@link #socket}
     * @param attributes as of {@code --device}
     */
    void add(int deviceId, String purpose, VhostUserDevice machineDevice, Map<String, String> attributes)
            throws IOException {
        add(deviceId, purpose, "", machineDevice, attributes);
    }

    /** Adds one that QEMU does not migrate: a machine that starts here has it in a port, one that arrives gets it later. */
    void addUnmigratable(
            int deviceId, String purpose, String port, VhostUserDevice machineDevice, Map<String, String> attributes)
            throws IOException {
        add(deviceId, purpose, port, machineDevice.with("bus", port), attributes);
    }

    private void add(
            int deviceId, String purpose, String port, VhostUserDevice machineDevice, Map<String, String> attributes)
            throws IOException {
        String device = machineDevice.id();
        NodeDevice made = served.make(new DeviceOption(device, deviceId, socket(device), attributes));
        boolean handedThrough = attributes.containsKey(VhostUserManagement.BACKEND)
                || attributes.containsKey(VhostVdpaManagement.VHOST_VDPA);
        devices.put(device, new DemoDevice(device, purpose, handedThrough, port, made, machineDevice));
    }

    /** Serves a device of another machine, which stays here. */
    void serveOther(String device, int deviceId, Map<String, String> attributes) throws IOException {
        var _ = served.add(device, deviceId, socket(device), attributes);
    }

    /** Where a device is found. */
    Path socket(String device) {
        return folder.resolve(device + ".sock");
    }

    /** Starts the node when all devices are there. */
    void start() throws IOException {
        Map<String, NodeDevice> of = new LinkedHashMap<>();
        devices.values().forEach(device -> of.put(device.name(), device.served()));
        NodeOptions options = new NodeOptions(
                name,
                folder.resolve("state"),
                control(),
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                certificates);
        node = new Node(options, List.of(new MachineOption(MACHINE, monitor(), List.copyOf(of.keySet()))), of);
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

    /**
     * Gives a machine its devices: the same in the same order at both hosts.
     *
     * @param starts whether the machine starts here; one that arrives gets what QEMU does not migrate from the node
     */
    void addDevices(GuestSpec spec, boolean starts) {
        int chassis = 1;
        for (DemoDevice device : devices.values()) {
            // A destination's specification has its source's arguments already.
            if (starts && !device.moves()) {
                spec.arguments("-device", "pcie-root-port,id=%s,chassis=%d".formatted(device.port(), chassis++));
            }
        }
        for (DemoDevice device : devices.values()) {
            if (device.moves() || starts) {
                boolean boots = bootsFromRoot && device.name().equals("root");
                spec.device(boots ? device.machineDevice().with("bootindex", 1) : device.machineDevice());
            }
        }
    }

    /** Waits until the machine has used every device that moved here with it, as far as requests come to this process. */
    void awaitUse(Duration timeout) throws InterruptedException {
        long end = System.nanoTime() + timeout.toNanos();
        while (!isUsed() && System.nanoTime() < end) {
            Thread.sleep(POLL_MILLIS);
        }
    }

    /** See {@link #awaitUse}. */
    boolean isUsed() {
        return devices.values().stream()
                .filter(device -> !device.handedThrough() && device.moves())
                .allMatch(device -> device.device().statistics().total().requests() > 0);
    }

    List<DemoDevice> devices() {
        return new ArrayList<>(devices.values());
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
