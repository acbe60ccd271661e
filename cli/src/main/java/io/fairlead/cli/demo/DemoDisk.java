package io.fairlead.cli.demo;

import io.fairlead.node.NodeDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.vdpa.VdpaDevice;

/**
 * One disk of the demo at one host: our device at its socket, and QEMU's side of it.
 *
 * @param purpose for the report
 * @param handedThrough whether requests go straight to another daemon
 */
record DemoDisk(String name, String purpose, boolean handedThrough, NodeDevice served, VhostUserDevice machineDevice) {
    VdpaDevice device() {
        return served.device();
    }
}
