package io.fairlead.cli.demo;

import io.fairlead.devices.blk.BlkManagement;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * One disk of the demo: the image on the host, our device, and QEMU's side of it.
 *
 * @param purpose for the report
 */
record DemoDisk(String purpose, VdpaDevice device, VhostUserDevice machineDevice) {
    /** Creates the device and serves it at a socket in a folder. */
    static DemoDisk create(
            Registry registry,
            VhostUserServer server,
            BlkManagement management,
            Path folder,
            String name,
            String purpose,
            int queueCount,
            boolean readOnly,
            boolean packed)
            throws IOException {
        Path socket = folder.resolve(name + ".sock");
        VdpaDevice device = registry.add(
                management.name(),
                name,
                DeviceId.BLOCK,
                Map.of(
                        "path",
                        folder.resolve(name + ".img").toString(),
                        "serial",
                        "fairlead-" + name,
                        "queues",
                        Integer.toString(queueCount),
                        "read-only",
                        readOnly ? "on" : "off"));
        server.serve(device, socket);
        VhostUserDevice machineDevice =
                VhostUserDevice.blk(name, socket).with("num-queues", queueCount).with("packed", packed ? "on" : "off");
        return new DemoDisk(purpose, device, machineDevice);
    }
}
