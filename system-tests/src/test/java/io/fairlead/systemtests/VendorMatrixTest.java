package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.systemtests.VendorCell.Rings;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.virtio.Feature;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A guest under verified load moves between two vendors' disks and back. The nodes move it, as a user has them do it:
 * they compare the two disks, let both stop in the way that both know, and carry the devices' state. The nodes are those
 * of {@code fairlead node} within the test's process, so that a disk's abilities can be taken from it; QEMU, guest and
 * qemu-storage-daemon are processes. QEMU's migration without nodes is {@link MigrationTest}'s.
 *
 * <p>The long ones write what they measured as a table, see docs/migration-matrix.md.
 */
@Timeout(1800)
class VendorMatrixTest {
    private static final int ROUND_TRIPS = 20;

    /** Of the control: one alone may be lucky. */
    private static final int MAX_CONTROL_MIGRATIONS = 20;

    /** Of the two hosts. */
    private static final List<List<QemuRelease>> RELEASES = List.of(
            List.of(QemuRelease.V10, QemuRelease.V10),
            List.of(QemuRelease.V11, QemuRelease.V11),
            List.of(QemuRelease.V10, QemuRelease.V11));

    private static final MatrixTable TABLE = new MatrixTable();

    @TempDir
    Path folder;

    static Stream<VendorCell> sample() {
        return Stream.of(VendorCell.newest(VendorDisk.FAIRLEAD, VendorDisk.STORAGE_DAEMON, Rings.SPLIT));
    }

    /** Fairlead's disks and qemu-storage-daemon's, which has no packed rings, on all pairs of releases. */
    static List<VendorCell> vendors() {
        List<VendorCell> cells = new ArrayList<>();
        for (List<QemuRelease> qemus : RELEASES) {
            for (VendorDisk here : List.of(VendorDisk.FAIRLEAD, VendorDisk.STORAGE_DAEMON)) {
                for (VendorDisk there : List.of(VendorDisk.FAIRLEAD, VendorDisk.STORAGE_DAEMON)) {
                    cells.add(new VendorCell(here, there, qemus.getFirst(), qemus.getLast(), Rings.SPLIT));
                    if (Feature.has(cells.getLast().features(), Feature.RING_PACKED)) {
                        cells.add(new VendorCell(here, there, qemus.getFirst(), qemus.getLast(), Rings.PACKED));
                    }
                }
            }
        }
        return cells;
    }

    /** Disks without a log of their own; the relay stops each in another way, with all kinds of rings. */
    static List<VendorCell> relayed() {
        List<VendorCell> cells = new ArrayList<>();
        for (boolean indirect : List.of(true, false)) {
            for (boolean eventIndex : List.of(true, false)) {
                Rings split = new Rings(false, indirect, eventIndex);
                Rings packed = new Rings(true, indirect, eventIndex);
                cells.add(VendorCell.newest(VendorDisk.FAIRLEAD_RELAYED, VendorDisk.FAIRLEAD_RELAYED, split));
                cells.add(VendorCell.newest(VendorDisk.FAIRLEAD_RELAYED, VendorDisk.FAIRLEAD_RELAYED, packed));
                cells.add(
                        VendorCell.newest(VendorDisk.STORAGE_DAEMON_RELAYED, VendorDisk.STORAGE_DAEMON_RELAYED, split));
            }
        }
        cells.add(VendorCell.newest(VendorDisk.FAIRLEAD_SUSPENDED, VendorDisk.FAIRLEAD_SUSPENDED, Rings.SPLIT));
        cells.add(VendorCell.newest(VendorDisk.FAIRLEAD_SUSPENDED, VendorDisk.FAIRLEAD_SUSPENDED, Rings.PACKED));
        cells.add(VendorCell.newest(VendorDisk.FAIRLEAD_DRAINED, VendorDisk.FAIRLEAD_DRAINED, Rings.SPLIT));
        cells.add(VendorCell.newest(VendorDisk.FAIRLEAD_RELAYED, VendorDisk.STORAGE_DAEMON_RELAYED, Rings.SPLIT));
        cells.add(VendorCell.newest(VendorDisk.FAIRLEAD, VendorDisk.FAIRLEAD_RELAYED, Rings.PACKED));
        return cells;
    }

    @ParameterizedTest
    @MethodSource("sample")
    void movesThereAndBack(VendorCell cell) throws Exception {
        run(cell, 1, null);
    }

    @Tag("long")
    @ParameterizedTest
    @MethodSource("vendors")
    void betweenVendors(VendorCell cell) throws Exception {
        run(cell, 1, "Vendors");
    }

    @Tag("long")
    @ParameterizedTest
    @MethodSource("relayed")
    void withoutALogOfItsOwn(VendorCell cell) throws Exception {
        run(cell, 1, "Disks without a log of their own");
    }

    @Tag("long")
    @ParameterizedTest
    @MethodSource("sample")
    void twentyRoundTripsInARow(VendorCell cell) throws Exception {
        run(cell, ROUND_TRIPS, "Twenty round trips of one guest");
    }

    private void run(VendorCell cell, int roundTrips, @Nullable String title) throws Exception {
        List<VendorHosts.Move> moves = new ArrayList<>();
        try (DiskHosts hosts = new DiskHosts(folder, cell, disk -> disk)) {
            for (int i = 0; i < 2 * roundTrips; i++) {
                hosts.load();
                moves.add(hosts.move());
            }
            hosts.load();
            GuestLoad.Outcome outcome = hosts.end();
            if (title != null) {
                TABLE.add(title, cell, moves, outcome);
            }
        }
    }

    /** The control: where the relay's marks go astray, the same load finds what the destination did not get. */
    @Test
    @Tag("long")
    void withoutTheRelaysMarksTheLoadFindsWhatIsLost() throws Exception {
        VendorCell cell = VendorCell.newest(VendorDisk.FAIRLEAD_RELAYED, VendorDisk.FAIRLEAD_RELAYED, Rings.SPLIT);
        try (SharedDirtyLog elsewhere = SharedDirtyLog.create("elsewhere", 1L << 40);
                DiskHosts hosts =
                        new DiskHosts(folder, cell, disk -> ObservedDevice.withLogElsewhere(disk, elsewhere))) {
            hosts.load();
            assertThat(hosts.differences()).as("before the first migration").isEmpty();
            int migrations = 0;
            while (migrations < MAX_CONTROL_MIGRATIONS && hosts.differences().isEmpty()) {
                VendorHosts.Move _ = hosts.move();
                migrations++;
                hosts.load();
            }
            Lab.report("found after %d migrations: %s", migrations, hosts.differences());
            assertThat(hosts.differences()).isNotEmpty();
        }
    }
}
