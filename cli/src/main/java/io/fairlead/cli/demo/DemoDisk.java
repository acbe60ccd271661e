package io.fairlead.cli.demo;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.server.VhostUserEndpoint;

/**
 * One disk of the demo at one host: our device at its socket, and QEMU's side of it.
 *
 * @param purpose for the report
 */
record DemoDisk(String name, String purpose, VhostUserEndpoint endpoint, VhostUserDevice machineDevice) {
    VdpaDevice device() {
        return endpoint.device();
    }
}
