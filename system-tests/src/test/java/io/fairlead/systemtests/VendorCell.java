package io.fairlead.systemtests;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A cell of the matrix: a guest starts at one host, moves to the other, and back.
 *
 * @param here the disk where it starts
 * @param there the disk at the other host
 * @param qemuHere where it starts
 * @param qemuThere of the other host
 * @param rings as the guest's driver gets them
 */
record VendorCell(DiskKind here, DiskKind there, QemuRelease qemuHere, QemuRelease qemuThere, Rings rings) {
    /** What is negotiated of rings. */
    record Rings(boolean packed, boolean indirect, boolean eventIndex) {
        static final Rings SPLIT = new Rings(false, true, true);
        static final Rings PACKED = new Rings(true, true, true);

        @Override
        public String toString() {
            return (packed ? "packed" : "split")
                    + (indirect ? "" : ", no indirect")
                    + (eventIndex ? "" : ", no event index");
        }
    }

    static VendorCell newest(DiskKind here, DiskKind there, Rings rings) {
        return new VendorCell(here, there, QemuRelease.V11, QemuRelease.V11, rings);
    }

    /** What both disks have. */
    long features() {
        return here.features() & there.features();
    }

    /** What both disks have. */
    int queues() {
        return Math.min(here.maxQueues(), there.maxQueues());
    }

    /** The disk of one of the hosts, as this cell has it. */
    private HostKind disk(DiskKind kind, Path image) {
        return new HostKind() {
            @Override
            public HostDevice make(HostPlace place) throws IOException {
                return kind.make(place, new DiskNeeds(image, features(), queues()));
            }

            @Override
            public VhostUserDevice model(Path socket) {
                return VhostUserDevice.blk(VendorHost.DEVICE, socket)
                        .with("num-queues", queues())
                        .with("packed", rings.packed() ? "on" : "off")
                        .with("indirect_desc", rings.indirect() ? "on" : "off")
                        .with("event_idx", rings.eventIndex() ? "on" : "off");
            }

            @Override
            public String toString() {
                return kind.toString();
            }
        };
    }

    /** The disks of both hosts over one image. */
    List<HostKind> disks(Path image) {
        return List.of(disk(here, image), disk(there, image));
    }

    @Override
    public String toString() {
        return "%s to %s, %s, QEMU %s to %s".formatted(here, there, rings, version(qemuHere), version(qemuThere));
    }

    /** As in the table. */
    static String version(QemuRelease release) {
        return switch (release) {
            case V10 -> "10.0";
            case V11 -> "11.1";
        };
    }
}
