package io.fairlead.bench.net;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Figures;
import io.fairlead.bench.Samples;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** Collects what runs have measured, and makes rows and tables of it. */
final class NetResults {
    private static final double RATE_BAR = 1;
    private static final double MILLION = 1e6;

    private final Map<Traffic, Map<NetServer.Kind, List<NetLoad>>> loads = new LinkedHashMap<>();

    void add(Traffic traffic, NetServer.Kind kind, NetLoad load) {
        loads.computeIfAbsent(traffic, _ -> new EnumMap<>(NetServer.Kind.class))
                .computeIfAbsent(kind, _ -> new ArrayList<>())
                .add(load);
    }

    /** The design's: small packets. */
    private static @Nullable Bar bar(Traffic traffic) {
        return traffic.packetBytes() == Traffic.SMALL_BYTES ? Bar.ratioAtLeast(RATE_BAR) : null;
    }

    List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        loads.forEach((traffic, byKind) -> {
            String name = traffic.name() + "/%s vs " + NetServer.Kind.DPDK.label();
            rows.add(new BenchRow(
                    name.formatted("rate"),
                    "packets/s",
                    samples(byKind, NetServer.Kind.FAIRLEAD, NetLoad::packetsPerSecond),
                    samples(byKind, NetServer.Kind.DPDK, NetLoad::packetsPerSecond),
                    bar(traffic)));
            rows.add(new BenchRow(
                    name.formatted("cpu"),
                    "ns/packet",
                    samples(byKind, NetServer.Kind.FAIRLEAD, NetLoad::serverNanosPerPacket),
                    samples(byKind, NetServer.Kind.DPDK, NetLoad::serverNanosPerPacket),
                    null));
        });
        return rows;
    }

    List<BenchTable> tables() {
        if (loads.isEmpty()) {
            return List.of();
        }
        return List.of(
                table("Million packets a second", load -> load.packetsPerSecond() / MILLION, true),
                table("Processor time of the server, ns a packet", NetLoad::serverNanosPerPacket, false));
    }

    private BenchTable table(String title, ToDoubleFunction<NetLoad> value, boolean barred) {
        List<List<String>> lines = new ArrayList<>();
        loads.forEach((traffic, byKind) -> {
            Samples ours = samples(byKind, NetServer.Kind.FAIRLEAD, value);
            Samples peer = samples(byKind, NetServer.Kind.DPDK, value);
            double ratio = ours.median() / peer.median();
            Bar bar = barred ? bar(traffic) : null;
            String verdict =
                    bar == null ? "" : bar.text() + (bar.isHeld(ours.median(), ratio) ? ": held" : ": NOT held");
            lines.add(
                    List.of(traffic.name(), Figures.spread(ours), Figures.spread(peer), Figures.ratio(ratio), verdict));
        });
        return new BenchTable(
                title,
                List.of("packets", NetServer.Kind.FAIRLEAD.label(), NetServer.Kind.DPDK.label(), "ratio", "bar"),
                lines);
    }

    private static Samples samples(
            Map<NetServer.Kind, List<NetLoad>> byKind, NetServer.Kind kind, ToDoubleFunction<NetLoad> value) {
        return Samples.of(
                byKind.getOrDefault(kind, List.of()).stream().mapToDouble(value).toArray());
    }
}
