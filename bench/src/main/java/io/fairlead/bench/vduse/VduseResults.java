package io.fairlead.bench.vduse;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.PairedRows;
import java.util.List;

/** Collects what was measured, and makes rows and tables of it. */
final class VduseResults {
    private static final String RATE = "rate/";
    private static final String COST = "cost/";
    private static final double NANOS_PER_MICRO = 1e3;

    private final PairedRows pairs = new PairedRows();

    void add(VduseWorkload workload, boolean isOurs, VduseRun run) {
        pairs.add(RATE + workload.name(), "I/O/s", Bar.ratioAtLeast(1), isOurs, run.iosPerSecond());
        pairs.add(
                COST + workload.name(),
                "µs an I/O",
                Bar.ratioAtMost(1),
                isOurs,
                run.cpuNanos() / NANOS_PER_MICRO / run.ios());
    }

    List<BenchRow> rows() {
        return pairs.rows();
    }

    List<BenchTable> tables() {
        return List.of(
                pairs.table("I/O a second", RATE, "fairlead", "qemu-storage-daemon"),
                pairs.table("Processor time of the serving process", COST, "fairlead", "qemu-storage-daemon"));
    }
}
