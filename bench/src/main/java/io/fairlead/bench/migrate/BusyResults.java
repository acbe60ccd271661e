package io.fairlead.bench.migrate;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.migrate.BusyContender.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Collects what moves of busy guests took, and makes rows and tables of it. One thread. */
final class BusyResults {
    private static final double DOWNTIME_RATIO_BAR = 1.0;
    private static final double DEVICE_MILLIS_BAR = 50;
    private static final String RINGS = "four devices, rings";

    private final Moves<Kind, BusyFigures> moves = new Moves<>(Kind::label);
    private final RingTimes ringTimes = new RingTimes();

    void add(Kind kind, BusyFigures figures) {
        moves.add(kind, figures);
    }

    /** @param written all that a daemon said */
    void addRingTimes(String written) {
        ringTimes.add(written);
    }

    /** One row for each thing that was measured; downtime and the time in devices have the design's bars. */
    List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        if (moves.isEmpty()) {
            return rows;
        }
        Bar device = Bar.oursAtMost(DEVICE_MILLIS_BAR);
        beside(rows, Kind.FAIRLEAD, Kind.QEMU);
        if (moves.has(Kind.NODES)) {
            beside(rows, Kind.NODES, Kind.QEMU_TLS);
            rows.add(moves.row(
                    Kind.NODES,
                    null,
                    "handover",
                    "ms",
                    each -> Objects.requireNonNull(each.move().handoverMillis(), "a node's move"),
                    device));
        }
        rows.addAll(ringTimes.rows(RINGS, device));
        return rows;
    }

    private void beside(List<BenchRow> rows, Kind ours, Kind peer) {
        rows.add(moves.row(
                ours,
                peer,
                "downtime, as QEMU says",
                "ms",
                each -> each.move().downtimeMillis(),
                Bar.ratioAtMost(DOWNTIME_RATIO_BAR)));
        for (BusyGuest.Heart heart : BusyGuest.Heart.values()) {
            rows.add(moves.row(
                    ours, peer, "outage of " + heart.label(), "ms", each -> value(each.outageMillis(), heart), null));
        }
        rows.add(moves.row(ours, peer, "outage of the network, by pings", "ms", BusyFigures::pingOutageMillis, null));
        rows.add(moves.row(
                ours, peer, "whole migration", "ms", each -> each.move().totalMillis(), null));
        rows.add(moves.row(ours, peer, "sent", "MiB", each -> each.move().transferredMib(), null));
        for (BusyGuest.Heart heart : BusyGuest.Heart.values()) {
            rows.add(moves.row(
                    ours,
                    peer,
                    "beats of %s before the move".formatted(heart.label()),
                    "a second",
                    each -> value(each.beatsPerSecond(), heart),
                    null));
        }
    }

    private static double value(Map<BusyGuest.Heart, Double> values, BusyGuest.Heart heart) {
        return Objects.requireNonNull(values.get(heart), heart.label());
    }

    /** One table for each kind of move, with its peer. */
    List<BenchTable> tables() {
        List<BenchTable> tables = new ArrayList<>();
        if (moves.isEmpty()) {
            return tables;
        }
        List<BenchRow> rows = rows();
        tables.add(MoveTable.of(
                "A guest with disk, NIC, SCSI unit and shared folder, all busy, moves by plain QMP",
                Kind.FAIRLEAD.label(),
                "QEMU's own",
                rows));
        if (moves.has(Kind.NODES)) {
            tables.add(MoveTable.of("The same by nodes", Kind.NODES.label(), "QEMU's own, TLS", rows));
        }
        if (!ringTimes.isEmpty()) {
            tables.add(MoveTable.of("Time in the devices of `four devices`", RINGS, "", rows));
        }
        return tables;
    }
}
