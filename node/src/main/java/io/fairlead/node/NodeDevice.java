package io.fairlead.node;

import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.server.VhostUserEndpoint;

/** A device of a machine and the socket where the machine's QEMU finds it; both stay their maker's. */
public record NodeDevice(VdpaDevice device, VhostUserEndpoint endpoint) {
    public String name() {
        return device.name();
    }
}
