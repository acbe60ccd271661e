package io.fairlead.node;

import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.server.VhostUserEndpoint;
import io.fairlead.vhostuser.server.VhostUserServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A device of a node and the socket where a machine's QEMU finds it. It is served only while it is sure that this node's
 * machine may use it: a QEMU that connects starts the rings by itself, also of a machine that stands still. Device and
 * server stay their maker's. Thread-safe.
 */
public final class NodeDevice {
    private final VdpaDevice device;
    private final VhostUserServer server;
    private final Path socket;
    private @Nullable VhostUserEndpoint endpoint;
    private boolean held;

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

    synchronized boolean isConnected() {
        return endpoint != null && endpoint.isConnected();
    }

    /** See {@link VhostUserEndpoint#retainedMemory}; without regions also where the device is not served. */
    synchronized MemoryTable retainedMemory() {
        return endpoint == null ? new MemoryTable(List.of()) : endpoint.retainedMemory();
    }

    /** Listens at the socket. Again: no effect. */
    synchronized void serve() throws IOException {
        if (endpoint == null) {
            endpoint = server.serve(device, socket);
            if (held) {
                endpoint.holdRings();
            }
        }
    }

    /** Ends the client's session, and listens no more. */
    synchronized void unserve() throws IOException {
        VhostUserEndpoint open = endpoint;
        endpoint = null;
        if (open != null) {
            open.close();
        }
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
