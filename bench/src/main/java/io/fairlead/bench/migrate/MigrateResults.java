package io.fairlead.bench.migrate;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Figures;
import io.fairlead.bench.Samples;
import io.fairlead.bench.migrate.Contender.Kind;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Collects what moves took, and makes rows and tables of it. */
final class MigrateResults {
    private static final double DOWNTIME_RATIO_BAR = 1.0;
    private static final double DEVICE_MILLIS_BAR = 50;
    private static final double MICROS_PER_MILLI = 1e3;
    private static final JsonMapper JSON = new JsonMapper();

    private final Map<Kind, List<MoveFigures>> moves = new EnumMap<>(Kind.class);
    private final List<Double> stopMillis = new ArrayList<>();
    private final List<Double> startMillis = new ArrayList<>();

    void add(Kind kind, MoveFigures figures) {
        moves.computeIfAbsent(kind, key -> new ArrayList<>()).add(figures);
    }

    /** @param written all that a daemon said: how long its device's rings took is the last */
    void addRingTimes(String written) {
        for (String line : written.lines().filter(text -> text.startsWith("{")).toList()) {
            JsonNode node = JSON.readTree(line);
            if (node.has("longestStopMicros")) {
                stopMillis.add(node.path("longestStopMicros").asDouble() / MICROS_PER_MILLI);
                startMillis.add(node.path("longestStartMicros").asDouble() / MICROS_PER_MILLI);
            }
        }
    }

    /** One row for each thing that was measured; downtime and the time in devices have the design's bars. */
    List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        Bar downtime = Bar.ratioAtMost(DOWNTIME_RATIO_BAR);
        Bar device = Bar.oursAtMost(DEVICE_MILLIS_BAR);
        beside(rows, Kind.FAIRLEAD, Kind.QEMU, downtime);
        if (moves.containsKey(Kind.NODES)) {
            beside(rows, Kind.NODES, Kind.QEMU_TLS, downtime);
            rows.add(row(Kind.NODES, null, "handover", "ms", MigrateResults::handover, device));
            beside(rows, Kind.SLOW, Kind.NODES, null);
            rows.add(row(Kind.SLOW, Kind.NODES, "handover", "ms", MigrateResults::handover, device));
        }
        if (!stopMillis.isEmpty()) {
            rows.add(new BenchRow(
                    "device/longest stop of a ring in any move", "ms", Samples.of(stopMillis), null, device));
            rows.add(new BenchRow(
                    "device/longest start of a ring in any move", "ms", Samples.of(startMillis), null, device));
        }
        return rows;
    }

    private static double handover(MoveFigures figures) {
        return Objects.requireNonNull(figures.move().handoverMillis(), "a node's move");
    }

    private void beside(List<BenchRow> rows, Kind ours, Kind peer, @Nullable Bar bar) {
        rows.add(row(
                ours, peer, "downtime, as QEMU says", "ms", each -> each.move().downtimeMillis(), bar));
        rows.add(row(ours, peer, "outage, as the guest sees it", "ms", MoveFigures::guestOutageMillis, null));
        rows.add(
                row(ours, peer, "outage of the disk, as the guest sees it", "ms", MoveFigures::diskOutageMillis, null));
        rows.add(row(ours, peer, "whole migration", "ms", each -> each.move().totalMillis(), null));
        rows.add(row(ours, peer, "sent", "MiB", each -> each.move().transferredMib(), null));
        rows.add(row(ours, peer, "reads of the heart before the move", "I/O/s", MoveFigures::readsPerSecond, null));
    }

    private BenchRow row(
            Kind ours,
            @Nullable Kind peer,
            String name,
            String unit,
            ToDoubleFunction<MoveFigures> value,
            @Nullable Bar bar) {
        return new BenchRow(
                ours.label() + "/" + name, unit, samples(ours, value), peer == null ? null : samples(peer, value), bar);
    }

    private Samples samples(Kind kind, ToDoubleFunction<MoveFigures> value) {
        return Samples.of(
                moves.getOrDefault(kind, List.of()).stream().mapToDouble(value).toArray());
    }

    /** One table for each kind of move, with its peer. */
    List<BenchTable> tables() {
        List<BenchTable> tables = new ArrayList<>();
        tables.add(table("A busy guest with one disk moves by plain QMP", Kind.FAIRLEAD.label(), "QEMU virtio-blk"));
        if (moves.containsKey(Kind.NODES)) {
            tables.add(table("It moves by nodes", Kind.NODES.label(), "QEMU virtio-blk, TLS"));
            tables.add(table("It moves by nodes, with a slow disk", Kind.SLOW.label(), Kind.NODES.label()));
        }
        if (!stopMillis.isEmpty()) {
            tables.add(table("Time in the devices of `fairlead`", "device", ""));
        }
        return tables;
    }

    private BenchTable table(String title, String ours, String theirs) {
        String prefix = ours + "/";
        List<List<String>> lines = new ArrayList<>();
        for (BenchRow row : rows()) {
            if (!row.name().startsWith(prefix)) {
                continue;
            }
            Samples peer = row.peer();
            Bar bar = row.bar();
            lines.add(List.of(
                    "%s, %s".formatted(row.name().substring(prefix.length()), row.unit()),
                    Figures.spread(row.ours()),
                    peer == null ? "" : Figures.spread(peer),
                    Figures.ratio(row.ratio()),
                    bar == null ? "" : bar.text() + (Boolean.TRUE.equals(row.held()) ? ": held" : ": NOT held")));
        }
        return new BenchTable(title, List.of("", ours, theirs, "ratio", "bar"), lines);
    }
}
