package io.fairlead.bench.blk;

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
final class BlkResults {
    private static final double MAX_RESIDENT_MIB = 150;
    private static final double CPU_RATIO_BAR = 0.5;
    private static final double UNCACHED_RATIO_BAR = 1;
    private static final double CACHED_RATIO_BAR = 2;
    private static final double CACHED_DEEP_RATIO_BAR = 3;
    private static final double BYTES_PER_MIB = 1 << 20;
    private static final double THOUSAND = 1e3;

    private final Map<Workload, Map<DiskServer.Kind, List<Load>>> loads = new LinkedHashMap<>();
    private double maxResidentMib;

    void add(Workload workload, DiskServer.Kind kind, Load load) {
        loads.computeIfAbsent(workload, key -> new EnumMap<>(DiskServer.Kind.class))
                .computeIfAbsent(kind, key -> new ArrayList<>())
                .add(load);
        if (kind == DiskServer.Kind.FAIRLEAD) {
            maxResidentMib = Math.max(maxResidentMib, load.serverResidentBytes() / BYTES_PER_MIB);
        }
    }

    /** Two rows (I/O a second, processor time) for each workload and peer, and the resident memory. */
    List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        loads.forEach((workload, byKind) -> {
            for (DiskServer.Kind peer : List.of(DiskServer.Kind.QSD_IO_URING, DiskServer.Kind.QSD_THREADS)) {
                boolean barred = peer == DiskServer.Kind.QSD_IO_URING;
                String name = workload.name() + "/%s vs " + peer.label();
                rows.add(new BenchRow(
                        name.formatted("rate"),
                        "I/O/s",
                        samples(byKind, DiskServer.Kind.FAIRLEAD, Load::perSecond),
                        samples(byKind, peer, Load::perSecond),
                        barred ? rateBar(workload) : null));
                rows.add(new BenchRow(
                        name.formatted("cpu"),
                        "us/I/O",
                        samples(byKind, DiskServer.Kind.FAIRLEAD, Load::serverMicrosPerRequest),
                        samples(byKind, peer, Load::serverMicrosPerRequest),
                        barred ? cpuBar(workload) : null));
            }
        });
        rows.add(memoryRow());
        return rows;
    }

    private BenchRow memoryRow() {
        return new BenchRow(
                "memory/one disk under load, resident",
                "MiB",
                Samples.of(maxResidentMib),
                null,
                Bar.oursAtMost(MAX_RESIDENT_MIB));
    }

    /** The bars of the design: polling clients, against io_uring. */
    static @Nullable Bar rateBar(Workload workload) {
        if (workload.client() != Workload.Client.POLL) {
            return null;
        }
        if (workload.cache() != Workload.Cache.CACHED) {
            return Bar.ratioAtLeast(UNCACHED_RATIO_BAR);
        }
        if (workload.operation() != Workload.Operation.RANDOM_READ_4K) {
            return null;
        }
        return Bar.ratioAtLeast(workload.depth() == 1 ? CACHED_RATIO_BAR : CACHED_DEEP_RATIO_BAR);
    }

    static @Nullable Bar cpuBar(Workload workload) {
        boolean barred = workload.client() == Workload.Client.POLL
                && workload.cache() == Workload.Cache.CACHED
                && workload.operation() == Workload.Operation.RANDOM_READ_4K;
        return barred ? Bar.ratioAtMost(CPU_RATIO_BAR) : null;
    }

    List<BenchTable> tables() {
        return List.of(rateTable(), cpuTable(), memoryTable());
    }

    private BenchTable rateTable() {
        List<List<String>> lines = new ArrayList<>();
        loads.forEach((workload, byKind) -> {
            Samples ours = samples(byKind, DiskServer.Kind.FAIRLEAD, BlkResults::thousands);
            Samples uring = samples(byKind, DiskServer.Kind.QSD_IO_URING, BlkResults::thousands);
            Samples threads = samples(byKind, DiskServer.Kind.QSD_THREADS, BlkResults::thousands);
            lines.add(List.of(
                    workload.name(),
                    Figures.spread(ours),
                    Figures.spread(uring),
                    Figures.ratio(ours.median() / uring.median()),
                    Figures.spread(threads),
                    Figures.ratio(ours.median() / threads.median()),
                    verdict(rateBar(workload), ours, uring)));
        });
        return new BenchTable(
                "Thousand I/O a second",
                List.of("workload", "fairlead", "qsd io_uring", "ratio", "qsd threads", "ratio", "bar"),
                lines);
    }

    private BenchTable cpuTable() {
        List<List<String>> lines = new ArrayList<>();
        loads.forEach((workload, byKind) -> {
            Samples ours = samples(byKind, DiskServer.Kind.FAIRLEAD, Load::serverMicrosPerRequest);
            Samples uring = samples(byKind, DiskServer.Kind.QSD_IO_URING, Load::serverMicrosPerRequest);
            Samples threads = samples(byKind, DiskServer.Kind.QSD_THREADS, Load::serverMicrosPerRequest);
            Samples client = samples(byKind, DiskServer.Kind.FAIRLEAD, Load::clientMicrosPerRequest);
            lines.add(List.of(
                    workload.name(),
                    Figures.spread(ours),
                    Figures.spread(uring),
                    Figures.ratio(ours.median() / uring.median()),
                    Figures.spread(threads),
                    Figures.ratio(ours.median() / threads.median()),
                    verdict(cpuBar(workload), ours, uring),
                    Figures.of(client.median())));
        });
        return new BenchTable(
                "Processor time of the server, microseconds an I/O (last column: of the client, with fairlead)",
                List.of("workload", "fairlead", "qsd io_uring", "ratio", "qsd threads", "ratio", "bar", "client"),
                lines);
    }

    private BenchTable memoryTable() {
        BenchRow row = memoryRow();
        return new BenchTable(
                "Memory of the server's own, MiB resident, the most after any run",
                List.of("", "fairlead", "bar"),
                List.of(List.of(
                        "one disk", Figures.of(row.ours().median()), verdict(row.bar(), row.ours(), row.ours()))));
    }

    private static String verdict(@Nullable Bar bar, Samples ours, Samples peer) {
        if (bar == null) {
            return "";
        }
        boolean held = bar.isHeld(ours.median(), peer.median() == 0 ? null : ours.median() / peer.median());
        return bar.text() + (held ? ": held" : ": NOT held");
    }

    private static double thousands(Load load) {
        return load.perSecond() / THOUSAND;
    }

    private static Samples samples(
            Map<DiskServer.Kind, List<Load>> byKind, DiskServer.Kind kind, ToDoubleFunction<Load> value) {
        return Samples.of(
                byKind.getOrDefault(kind, List.of()).stream().mapToDouble(value).toArray());
    }
}
