package io.fairlead.bench.scsi;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.PairedRows;
import java.util.List;

/** Collects what was measured, and makes rows and tables of it. */
final class ScsiResults {
    private static final String GUEST = "guest/";
    private static final String DEVICE = "device/";
    private static final double NANOS_PER_MICRO = 1e3;

    private final PairedRows pairs = new PairedRows();

    /** @param cpuNanos of who served, for the whole run */
    void add(ScsiWorkload workload, boolean isOurs, ScsiGuest.Run run, long cpuNanos) {
        String name = GUEST + workload.name();
        pairs.add(name, "I/O/s", Bar.ratioAtLeast(1), isOurs, run.iosPerSecond());
        pairs.add(
                name + ", processor time per I/O",
                "µs",
                Bar.ratioAtMost(1),
                isOurs,
                cpuNanos / NANOS_PER_MICRO / run.ios());
    }

    /** A driver beside the device: the SCSI host is ours, our disk of the same file the peer. */
    void addDirect(int depth, boolean isScsi, double perSecond) {
        pairs.add(DEVICE + "randread-4k/qd%d".formatted(depth), "I/O/s", null, isScsi, perSecond);
    }

    List<BenchRow> rows() {
        return pairs.rows();
    }

    List<BenchTable> tables() {
        return List.of(
                pairs.table("In a guest", GUEST, "fairlead", "QEMU virtio-scsi"),
                pairs.table("The device by itself", DEVICE, "scsi", "blk"));
    }
}
