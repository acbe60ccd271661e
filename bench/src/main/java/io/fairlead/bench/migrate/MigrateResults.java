package io.fairlead.bench.migrate;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.migrate.Contender.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Collects what moves took, and makes rows and tables of it. */
final class MigrateResults {
    private static final double DOWNTIME_RATIO_BAR = 1.0;
    private static final double DEVICE_MILLIS_BAR = 50;
    private static final String DEVICE = "device";

    private final Moves<Kind, MoveFigures> moves = new Moves<>(Kind::label);
    private final RingTimes ringTimes = new RingTimes();

    void add(Kind kind, MoveFigures figures) {
        moves.add(kind, figures);
    }

    /** @param written all that a daemon said: how long its device's rings took is the last */
    void addRingTimes(String written) {
        ringTimes.add(written);
    }

    /** One row for each thing that was measured; downtime and the time in devices have the design's bars. */
    List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        if (moves.isEmpty()) {
            return rows;
        }
        Bar downtime = Bar.ratioAtMost(DOWNTIME_RATIO_BAR);
        Bar device = Bar.oursAtMost(DEVICE_MILLIS_BAR);
        beside(rows, Kind.FAIRLEAD, Kind.QEMU, downtime);
        if (moves.has(Kind.NODES)) {
            beside(rows, Kind.NODES, Kind.QEMU_TLS, downtime);
            rows.add(moves.row(Kind.NODES, null, "handover", "ms", MigrateResults::handover, device));
            beside(rows, Kind.SLOW, Kind.NODES, null);
            rows.add(moves.row(Kind.SLOW, Kind.NODES, "handover", "ms", MigrateResults::handover, device));
        }
        rows.addAll(ringTimes.rows(DEVICE, device));
        return rows;
    }

    private static double handover(MoveFigures figures) {
        return Objects.requireNonNull(figures.move().handoverMillis(), "a node's move");
    }

    private void beside(List<BenchRow> rows, Kind ours, Kind peer, @Nullable Bar bar) {
        rows.add(moves.row(
                ours, peer, "downtime, as QEMU says", "ms", each -> each.move().downtimeMillis(), bar));
        rows.add(moves.row(ours, peer, "outage, as the guest sees it", "ms", MoveFigures::guestOutageMillis, null));
        rows.add(moves.row(
                ours, peer, "outage of the disk, as the guest sees it", "ms", MoveFigures::diskOutageMillis, null));
        rows.add(moves.row(
                ours, peer, "whole migration", "ms", each -> each.move().totalMillis(), null));
        rows.add(moves.row(ours, peer, "sent", "MiB", each -> each.move().transferredMib(), null));
        rows.add(moves.row(
                ours, peer, "reads of the heart before the move", "I/O/s", MoveFigures::readsPerSecond, null));
    }

    /** One table for each kind of move, with its peer. */
    List<BenchTable> tables() {
        List<BenchTable> tables = new ArrayList<>();
        if (moves.isEmpty()) {
            return tables;
        }
        List<BenchRow> rows = rows();
        tables.add(MoveTable.of(
                "A busy guest with one disk moves by plain QMP", Kind.FAIRLEAD.label(), "QEMU virtio-blk", rows));
        if (moves.has(Kind.NODES)) {
            tables.add(MoveTable.of("It moves by nodes", Kind.NODES.label(), "QEMU virtio-blk, TLS", rows));
            tables.add(
                    MoveTable.of("It moves by nodes, with a slow disk", Kind.SLOW.label(), Kind.NODES.label(), rows));
        }
        if (!ringTimes.isEmpty()) {
            tables.add(MoveTable.of("Time in the devices of `fairlead`", DEVICE, "", rows));
        }
        return tables;
    }
}
