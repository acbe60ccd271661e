package io.fairlead.cli.demo;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.blkio.StorageDaemon;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Which devices the demo's machine has: one of each type, three disks among them, at both hosts. One thread. */
final class DemoDevices {
    /** Of the machine's NIC. */
    static final String MAC = "52:54:00:fa:1e:01";

    /** Where NICs meet. */
    static final String SWITCH = "lan";

    /** What the guest mounts the shared folder by. */
    private static final String TAG = "share";

    /** A console is a device that QEMU 10 has no model for. */
    private static final QemuRelease FIRST_WITH_CONSOLE = QemuRelease.V11;

    private final Testbed testbed;
    private final Path folder;
    private final QemuRelease release;
    private final int processors;

    /** @param folder of the images, which both hosts reach */
    DemoDevices(Testbed testbed, Path folder, QemuRelease release, int processors) {
        this.testbed = testbed;
        this.folder = folder;
        this.release = release;
        this.processors = processors;
    }

    static Path image(Path folder, String disk) {
        return folder.resolve(disk + ".img");
    }

    /** The folder that the guest shares. */
    static Path share(Path folder) {
        return folder.resolve("share");
    }

    /** What the guest puts out to its console. */
    static Path console(Path folder) {
        return folder.resolve("console.txt");
    }

    /** Where programs of a host are that the guest connects to, each with its port behind it. */
    static Path hostSockets(DemoHost host) {
        return host.folder().resolve("vsock");
    }

    boolean hasConsole() {
        return release.compareTo(FIRST_WITH_CONSOLE) >= 0;
    }

    /** All of them Fairlead's own. */
    void addOurs(DemoHost host) throws IOException {
        addDisk(host, "root", "root, split ring", 1, false);
        addDisk(host, "data", "data, packed rings", processors, true);
        addDisk(host, "fixed", "read-only", 1, false);
        addRest(host);
    }

    /** The root and the read-only disk are another vendor's. */
    void addOthers(DemoHost host) throws IOException {
        addDaemon(host, "root", "root, qemu-storage-daemon");
        addDisk(host, "data", "data, packed rings", processors, true);
        addDaemon(host, "fixed", "read-only, qemu-storage-daemon");
        addRest(host);
    }

    private void addRest(DemoHost host) throws IOException {
        host.add(
                DeviceId.NET,
                "NIC at a switch",
                VhostUserDevice.net("nic", host.socket("nic")).with("mac", MAC),
                Map.of("switch", SWITCH, "mac", MAC));
        host.add(
                DeviceId.SCSI,
                "SCSI host with a unit",
                VhostUserDevice.scsi("scsi", host.socket("scsi")).with("num_queues", 1),
                Map.of(
                        "lun0",
                        image(folder, "unit").toString(),
                        "lun0.locked",
                        "off",
                        "lun0.volume",
                        "unit",
                        "lun0.serial",
                        "fairlead-unit"));
        host.add(
                DeviceId.FS,
                "shared folder",
                VhostUserDevice.fs("fs", host.socket("fs"), TAG),
                Map.of("path", share(folder).toString(), "tag", TAG));
        host.addUnmigratable(
                DeviceId.RNG,
                "random numbers",
                "port0",
                VhostUserDevice.of("rng", "vhost-user-rng-pci", host.socket("rng")),
                Map.of());
        host.addUnmigratable(
                DeviceId.VSOCK,
                "sockets to the host",
                "port1",
                VhostUserDevice.of("vsock", "vhost-user-vsock-pci", host.socket("vsock")),
                Map.of("cid", "3", "path", hostSockets(host).toString()));
        if (hasConsole()) {
            host.addUnmigratable(
                    DeviceId.CONSOLE,
                    "console",
                    "port2",
                    VhostUserDevice.of("console", "vhost-user-test-device-pci", host.socket("console"))
                            .with("virtio-id", DeviceId.CONSOLE)
                            .with("num_vqs", 2)
                            .with("vq_size", 64)
                            .with("config_size", 12),
                    Map.of("path", console(folder).toString()));
        }
    }

    /** A disk of Fairlead's own, without what the guest would not find again at the other vendor's. */
    private void addDisk(DemoHost host, String disk, String purpose, int queueCount, boolean packed)
            throws IOException {
        long unused = Feature.RING_RESET | (packed ? 0 : Feature.RING_PACKED);
        host.add(
                DeviceId.BLOCK,
                purpose,
                machineDisk(host, disk, queueCount, packed),
                Map.of(
                        "features",
                        "0x" + Long.toHexString(~unused),
                        "path",
                        image(folder, disk).toString(),
                        "locked",
                        "off",
                        "physical-block-size",
                        "512",
                        "volume",
                        disk,
                        "serial",
                        "fairlead-" + disk,
                        "queues",
                        Integer.toString(queueCount),
                        "read-only",
                        disk.equals("fixed") ? "on" : "off"));
    }

    /** The same disk behind another vendor's daemon. */
    private void addDaemon(DemoHost host, String disk, String purpose) throws IOException {
        Path socket = host.folder().resolve(disk + "-daemon.sock");
        host.owns(StorageDaemon.start(new StorageDaemon.Spec(
                testbed.storageDaemon(),
                image(folder, disk),
                StorageDaemon.Aio.IO_URING,
                false,
                !disk.equals("fixed"),
                false,
                1,
                List.of(socket))));
        host.add(
                DeviceId.BLOCK,
                purpose,
                machineDisk(host, disk, 1, false),
                Map.of("backend", socket.toString(), "volume", disk, "serial", "fairlead-" + disk));
    }

    private static VhostUserDevice machineDisk(DemoHost host, String disk, int queueCount, boolean packed) {
        return VhostUserDevice.blk(disk, host.socket(disk))
                .with("num-queues", queueCount)
                .with("packed", packed ? "on" : "off");
    }
}
