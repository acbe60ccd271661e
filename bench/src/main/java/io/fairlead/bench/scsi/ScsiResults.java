package io.fairlead.bench.scsi;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Figures;
import io.fairlead.bench.Samples;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Collects what was measured, and makes rows and tables of it. */
final class ScsiResults {
    private static final String GUEST = "guest/";
    private static final String DEVICE = "device/";
    private static final double NANOS_PER_MICRO = 1e3;

    /** Of one thing, ours and the peer's. */
    private static final class Pair {
        private final String unit;
        private final @Nullable Bar bar;
        private final List<Double> ours = new ArrayList<>();
        private final List<Double> peers = new ArrayList<>();

        Pair(String unit, @Nullable Bar bar) {
            this.unit = unit;
            this.bar = bar;
        }

        void add(boolean isOurs, double value) {
            (isOurs ? ours : peers).add(value);
        }
    }

    private final Map<String, Pair> pairs = new LinkedHashMap<>();

    private Pair pair(String name, String unit, @Nullable Bar bar) {
        return pairs.computeIfAbsent(name, _ -> new Pair(unit, bar));
    }

    /** @param cpuNanos of who served, for the whole run */
    void add(ScsiWorkload workload, boolean isOurs, ScsiGuest.Run run, long cpuNanos) {
        String name = GUEST + workload.name();
        pair(name, "I/O/s", Bar.ratioAtLeast(1)).add(isOurs, run.iosPerSecond());
        pair(name + ", processor time per I/O", "µs", Bar.ratioAtMost(1))
                .add(isOurs, cpuNanos / NANOS_PER_MICRO / run.ios());
    }

    /** A driver beside the device: the SCSI host is ours, our disk of the same file the peer. */
    void addDirect(int depth, boolean isScsi, double perSecond) {
        pair(DEVICE + "randread-4k/qd%d".formatted(depth), "I/O/s", null).add(isScsi, perSecond);
    }

    List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        pairs.forEach((name, pair) ->
                rows.add(new BenchRow(name, pair.unit, Samples.of(pair.ours), Samples.of(pair.peers), pair.bar)));
        return rows;
    }

    List<BenchTable> tables() {
        return List.of(
                table("In a guest", GUEST, "fairlead", "QEMU virtio-scsi"),
                table("The device by itself", DEVICE, "scsi", "blk"));
    }

    private BenchTable table(String title, String prefix, String ours, String theirs) {
        List<List<String>> lines = new ArrayList<>();
        for (BenchRow row : rows()) {
            if (row.name().startsWith(prefix)) {
                Bar bar = row.bar();
                lines.add(List.of(
                        "%s, %s".formatted(row.name().substring(prefix.length()), row.unit()),
                        Figures.spread(row.ours()),
                        Figures.spread(Objects.requireNonNull(row.peer(), "each has a peer")),
                        Figures.ratio(row.ratio()),
                        bar == null ? "" : bar.text() + (Boolean.TRUE.equals(row.held()) ? ": held" : ": NOT held")));
            }
        }
        return new BenchTable(title, List.of("", ours, theirs, "ratio", "bar"), lines);
    }
}
