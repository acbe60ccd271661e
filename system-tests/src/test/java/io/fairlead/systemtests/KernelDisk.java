package io.fairlead.systemtests;

import io.fairlead.kernel.management.DeviceAttributes;
import io.fairlead.kernel.management.ManagementDeviceName;
import io.fairlead.kernel.management.PciFunction;
import io.fairlead.kernel.management.VdpaBus;
import io.fairlead.kernel.management.VdpaFamily;
import io.fairlead.kernel.vhostvdpa.VhostVdpaManagement;
import io.fairlead.kernel.vhostvdpa.VhostVdpaSettings;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Disks of the kernel's vDPA framework, in an L1 host: the device is made by its management device, given to vhost_vdpa, and
 * served by Fairlead.
 *
 * @param label in tables
 * @param features that the disk has and that mean the same with the others: its limits of discarding differ from theirs, and
 *     so do its topology and cache mode
 */
record KernelDisk(String label, long features, Maker maker) implements DiskKind {
    /** As many entries as QEMU gives a queue. */
    private static final int QUEUE_SIZE = 128;

    private static final long ALL_HAVE = Feature.VERSION_1 | BlkConfig.F_FLUSH | BlkConfig.F_BLK_SIZE;
    private static final long MOST_HAVE = ALL_HAVE | BlkConfig.F_SEG_MAX | Feature.INDIRECT_DESC | Feature.EVENT_IDX;

    /** Makes a vDPA device of a name; what goes with it is to be closed after it. */
    private interface Maker {
        void make(VdpaFamily family, String name, HostPlace place, DiskNeeds needs) throws IOException;
    }

    /** The kernel's simulator. It takes 32 segments, of which the others have more: then requests have one. */
    static KernelDisk simulator() {
        return new KernelDisk("vdpa_sim_blk", ALL_HAVE, (family, name, _, _) -> add(family, name, "vdpasim_blk"));
    }

    /** A virtio PCI function. */
    static KernelDisk virtioPci(String address) {
        return new KernelDisk("vp_vdpa", MOST_HAVE, (family, name, _, _) -> {
            PciFunction.ofHost(address).bind(PciFunction.VP_VDPA, false);
            add(family, name, "pci/" + address);
        });
    }

    /** qemu-storage-daemon's, which the kernel presents. */
    static KernelDisk vduse() {
        return new KernelDisk("qemu-storage-daemon by VDUSE", MOST_HAVE, (family, name, place, needs) -> {
            List<String> options = List.of(
                    "--blockdev",
                    "driver=host_device,node-name=disk,cache.direct=on,locking=off,filename=" + needs.image(),
                    "--export",
                    "type=vduse-blk,id=export,node-name=disk,writable=on,name=%s,num-queues=%d,queue-size=%d"
                            .formatted(name, needs.queues(), QUEUE_SIZE));
            ExportDaemon daemon =
                    ExportDaemon.start(Lab.TESTBED.storageDaemon(place.release()), options, place.folder());
            place.parts().add(daemon::close);
            add(family, name, "vduse");
        });
    }

    private static void add(VdpaFamily family, String name, String managementDevice) throws IOException {
        family.add(name, ManagementDeviceName.parse(managementDevice), DeviceAttributes.NONE);
    }

    @Override
    public int maxQueues() {
        return 1;
    }

    @Override
    public HostDevice make(HostPlace place, DiskNeeds needs) throws IOException {
        String name = "disk-" + place.host();
        VdpaFamily family = VdpaFamily.open();
        place.parts().add(family::close);
        maker.make(family, name, place, needs);
        place.parts().add(() -> family.delete(name));
        VdpaBus bus = VdpaBus.ofHost();
        bus.bind(name, VdpaBus.VHOST_VDPA);
        Path file = bus.characterDevice(name).orElseThrow(() -> new IOException(name + " has no character device"));
        VhostVdpaManagement kernel = new VhostVdpaManagement("kernel");
        place.parts().add(kernel::close);
        return HostDevice.relayed(
                kernel.open(
                        VendorHost.DEVICE,
                        new VhostVdpaSettings(
                                file,
                                DeviceId.BLOCK,
                                needs.queues(),
                                0,
                                Map.of("volume", DiskNeeds.VOLUME, "serial", DiskNeeds.SERIAL),
                                true,
                                needs.features())),
                null,
                place);
    }

    @Override
    public String toString() {
        return label;
    }
}
