package io.fairlead.node;

import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.server.VhostUserEndpoint;
import io.fairlead.vhostuser.server.VhostUserServer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A device of a node and the socket where a machine's QEMU finds it. It is served only while it is sure that this node's
 * machine may use it: a QEMU that connects starts the rings by itself, also of a machine that stands still. Device and
 * server stay their maker's. Thread-safe.
 */
public final class NodeDevice {
    private static final Logger LOG = LoggerFactory.getLogger(NodeDevice.class);
    private static final int POLL_MILLIS = 10;

    private final VdpaDevice device;
    private final VhostUserServer server;
    private final Path socket;
    private @Nullable VhostUserEndpoint endpoint;
    private boolean held;

    /** Since its machine began to move; null where it does not. */
    private @Nullable List<DeviceChange> changes;

    public NodeDevice(VdpaDevice device, VhostUserServer server, Path socket) {
        this.device = device;
        this.server = server;
        this.socket = socket;
    }

    public VdpaDevice device() {
        return device;
    }

    public String name() {
        return device.name();
    }

    public Path socket() {
        return socket;
    }

    /** Whether a QEMU has it. */
    public synchronized boolean isConnected() {
        return endpoint != null && endpoint.isConnected();
    }

    /** See {@link VhostUserEndpoint#retainedMemory}; without regions also where the device is not served. */
    synchronized MemoryTable retainedMemory() {
        return endpoint == null ? new MemoryTable(List.of()) : endpoint.retainedMemory();
    }

    /** Listens at the socket. Again: no effect. */
    public synchronized void serve() throws IOException {
        if (endpoint == null) {
            endpoint = server.serve(device, socket);
            if (held) {
                endpoint.holdRings();
            }
        }
    }

    /** Ends the client's session, and listens no more. */
    public synchronized void unserve() throws IOException {
        VhostUserEndpoint open = endpoint;
        endpoint = null;
        if (open != null) {
            open.close();
        }
    }

    /**
     * Waits until a driver of the guest uses it. Not every front-end tells the driver's status; a queue that runs is the
     * sign of all.
     *
     * @return false where none did in time
     */
    public boolean awaitDriver(Duration timeout) throws IOException {
        long end = System.nanoTime() + timeout.toNanos();
        while (IntStream.range(0, device.queueCount()).noneMatch(device::queueReady)) {
            if (System.nanoTime() > end) {
                return false;
            }
            try {
                Thread.sleep(POLL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
        LOG.info("{}: the guest's driver has taken it", device.name());
        return true;
    }

    /**
     * Changes it while a driver uses it; where its machine is on the move, the change goes along.
     *
     * @param forced also where it can cost data
     * @throws IOException where the host refuses, or the machine stands still to run elsewhere
     * @throws IllegalArgumentException where that cannot be changed
     */
    public void change(DeviceMaker maker, Map<String, String> attributes, boolean forced) throws IOException {
        change(maker, new DeviceChange(attributes), forced);
    }

    synchronized void change(DeviceMaker maker, DeviceChange change, boolean forced) throws IOException {
        if (held) {
            throw new IOException("device %s: its machine stands still to run elsewhere: repeat it where it runs then"
                    .formatted(name()));
        }
        maker.change(name(), change.attributes(), forced);
        if (changes != null) {
            changes.add(change);
        }
    }

    /** Takes over a change of the source's; in the log where it cannot. */
    synchronized void replay(DeviceMaker maker, DeviceChange change) {
        try {
            maker.follow(name(), change.attributes());
        } catch (IOException | IllegalArgumentException e) {
            change.refused(name(), e);
        }
    }

    /** Keeps what is changed from now on. */
    synchronized void recordChanges() {
        changes = new ArrayList<>();
    }

    synchronized void forgetChanges() {
        changes = null;
    }

    /** What was changed since its machine began to move. */
    synchronized List<DeviceChange> changes() {
        return changes == null ? List.of() : List.copyOf(changes);
    }

    synchronized void hold() {
        held = true;
        if (endpoint != null) {
            endpoint.holdRings();
        }
    }

    synchronized void release() {
        held = false;
        if (endpoint != null) {
            endpoint.releaseRings();
        }
    }
}
