package io.fairlead.node;

import io.fairlead.qemu.Qmp;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.state.DeviceSnapshot;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A machine of this node: its devices, and its QEMU when there is one. Thread-safe. */
final class NodeMachine implements AutoCloseable {
    private static final Duration GREETING = Duration.ofSeconds(10);

    private final String name;
    private final Path socket;
    private volatile List<NodeDevice> devices;
    private @Nullable Qmp monitor;

    NodeMachine(String name, Path socket, List<NodeDevice> devices) {
        this.name = name;
        this.socket = socket;
        this.devices = List.copyOf(devices);
    }

    String name() {
        return name;
    }

    List<NodeDevice> devices() {
        return devices;
    }

    /** It has one more. */
    synchronized void add(NodeDevice device) {
        List<NodeDevice> more = new ArrayList<>(devices);
        more.add(device);
        devices = List.copyOf(more);
    }

    /** It has one less. */
    synchronized void remove(NodeDevice device) {
        devices = devices.stream().filter(other -> other != device).toList();
    }

    /**
     * Its QEMU's monitor, connected when needed; stays the machine's.
     *
     * @throws IOException where no QEMU is there
     */
    synchronized Qmp monitor() throws IOException {
        if (monitor == null || !monitor.isOpen()) {
            if (!Files.exists(socket)) {
                throw new IOException(
                        "machine %s has no QEMU: there is no monitor at %s; start it with -qmp unix:%s,server=on,wait=off"
                                .formatted(name, socket, socket));
            }
            try {
                monitor = Qmp.connect(socket, GREETING);
            } catch (IOException e) {
                throw new IOException(
                        "machine %s: no QEMU answers at its monitor %s: %s".formatted(name, socket, e.getMessage()), e);
            }
        }
        return monitor;
    }

    /** Lets go of the monitor, so that others may use its socket. */
    @Override
    public synchronized void close() {
        if (monitor != null) {
            monitor.close();
            monitor = null;
        }
    }

    /** What can be told of its devices while it runs, encoded, in the order of the list. */
    List<byte[]> provisionalStates() throws IOException {
        return states(devices, false);
    }

    /** What some of its devices are, with all queues stopped, encoded, in the order of the list. */
    List<byte[]> finalStates(List<NodeDevice> some) throws IOException {
        return states(some, true);
    }

    private List<byte[]> states(List<NodeDevice> some, boolean areFinal) throws IOException {
        List<byte[]> states = new ArrayList<>();
        for (NodeDevice device : some) {
            states.add(DeviceSnapshot.take(device.device(), uuid(device.device()), 0, areFinal)
                    .encode());
        }
        return states;
    }

    void stopMode(VdpaDevice.StopMode mode) throws IOException {
        for (NodeDevice device : devices) {
            boolean can = device.device().capabilities().contains(VdpaDevice.Capability.FREEZE);
            device.device().stopMode(can ? mode : VdpaDevice.StopMode.DRAIN);
        }
    }

    /** Presents its devices. Again: no effect. */
    void serve() throws IOException {
        for (NodeDevice device : devices) {
            device.serve();
        }
    }

    /** Takes its devices away from its QEMU. */
    void unserve() throws IOException {
        for (NodeDevice device : devices) {
            device.unserve();
        }
    }

    /** Until {@link #forgetChanges}: what is changed of its devices goes along when it moves. */
    void recordChanges() {
        devices.forEach(NodeDevice::recordChanges);
    }

    void forgetChanges() {
        devices.forEach(NodeDevice::forgetChanges);
    }

    void hold() {
        devices.forEach(NodeDevice::hold);
    }

    void release() {
        devices.forEach(NodeDevice::release);
    }

    /** Of machine and device together: the same on every host. */
    UUID uuid(VdpaDevice device) {
        return UUID.nameUUIDFromBytes(("fairlead/" + name + "/" + device.name()).getBytes(StandardCharsets.UTF_8));
    }
}
