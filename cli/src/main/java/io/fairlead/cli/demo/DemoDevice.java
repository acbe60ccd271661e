package io.fairlead.cli.demo;

import io.fairlead.node.NodeDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.vdpa.VdpaDevice;

/**
 * One device of the demo's machine at one host: ours at its socket, and QEMU's side of it.
 *
 * @param purpose for the report
 * @param handedThrough whether requests go straight to another daemon
 * @param port where QEMU has it plugged in, of a device that it does not migrate; empty where the device moves
 */
record DemoDevice(
        String name,
        String purpose,
        boolean handedThrough,
        String port,
        NodeDevice served,
        VhostUserDevice machineDevice) {
    VdpaDevice device() {
        return served.device();
    }

    boolean moves() {
        return port.isEmpty();
    }
}
