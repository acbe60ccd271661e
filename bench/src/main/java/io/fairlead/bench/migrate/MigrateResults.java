package io.fairlead.bench.migrate;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Figures;
import io.fairlead.bench.Samples;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** Collects what moves took, and makes rows and a table of it. */
final class MigrateResults {
    private static final double DOWNTIME_RATIO_BAR = 1.0;

    private final Map<Contender.Kind, List<MoveFigures>> moves = new EnumMap<>(Contender.Kind.class);

    void add(Contender.Kind kind, MoveFigures figures) {
        moves.computeIfAbsent(kind, key -> new ArrayList<>()).add(figures);
    }

    /** One row for each thing that was measured; the downtime has the design's bar. */
    List<BenchRow> rows() {
        return List.of(
                row("downtime, as QEMU says", "ms", MoveFigures::downtimeMillis, Bar.ratioAtMost(DOWNTIME_RATIO_BAR)),
                row("outage, as the guest sees it", "ms", MoveFigures::guestOutageMillis, null),
                row("outage of the disk, as the guest sees it", "ms", MoveFigures::diskOutageMillis, null),
                row("whole migration", "ms", MoveFigures::totalMillis, null),
                row("sent", "MiB", MoveFigures::transferredMib, null),
                row("reads of the heart before the move", "I/O/s", MoveFigures::readsPerSecond, null));
    }

    private BenchRow row(String name, String unit, ToDoubleFunction<MoveFigures> value, @Nullable Bar bar) {
        return new BenchRow(
                "migrate/" + name,
                unit,
                samples(Contender.Kind.FAIRLEAD, value),
                samples(Contender.Kind.QEMU, value),
                bar);
    }

    private Samples samples(Contender.Kind kind, ToDoubleFunction<MoveFigures> value) {
        return Samples.of(
                moves.getOrDefault(kind, List.of()).stream().mapToDouble(value).toArray());
    }

    BenchTable table() {
        List<List<String>> lines = new ArrayList<>();
        for (BenchRow row : rows()) {
            Samples peer = row.peer();
            Bar bar = row.bar();
            lines.add(List.of(
                    "%s, %s".formatted(row.name().substring("migrate/".length()), row.unit()),
                    Figures.spread(row.ours()),
                    peer == null ? "" : Figures.spread(peer),
                    Figures.ratio(row.ratio()),
                    bar == null ? "" : bar.text() + (Boolean.TRUE.equals(row.held()) ? ": held" : ": NOT held")));
        }
        return new BenchTable(
                "A busy guest with one disk moves", List.of("", "fairlead", "QEMU virtio-blk", "ratio", "bar"), lines);
    }
}
