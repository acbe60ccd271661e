package io.fairlead.systemtests;

import io.fairlead.testbed.QemuRelease;

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

    /** Whether one of the hosts has a daemon, which has fewer features. */
    boolean hasDaemon() {
        return here.isDaemon() || there.isDaemon();
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
