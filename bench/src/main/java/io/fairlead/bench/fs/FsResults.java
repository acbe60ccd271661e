package io.fairlead.bench.fs;

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

/** Collects what runs have measured, and makes rows and tables of it. */
final class FsResults {
    private final Map<FsWorkload, Map<FsServer.Kind, List<FsRun>>> runs = new LinkedHashMap<>();

    void add(FsWorkload workload, FsServer.Kind kind, FsRun run) {
        runs.computeIfAbsent(workload, _ -> new EnumMap<>(FsServer.Kind.class))
                .computeIfAbsent(kind, _ -> new ArrayList<>())
                .add(run);
    }

    /** Two rows for each workload: the rate, which may have a bar, and the server's processor time. */
    List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        runs.forEach((workload, byKind) -> {
            rows.add(new BenchRow(
                    workload.name() + "/rate",
                    workload.unit(),
                    samples(byKind, FsServer.Kind.FAIRLEAD, FsRun::perSecond),
                    samples(byKind, FsServer.Kind.VIRTIOFSD, FsRun::perSecond),
                    workload.bar()));
            rows.add(new BenchRow(
                    workload.name() + "/cpu",
                    "us",
                    samples(byKind, FsServer.Kind.FAIRLEAD, FsRun::serverMicros),
                    samples(byKind, FsServer.Kind.VIRTIOFSD, FsRun::serverMicros),
                    null));
        });
        return rows;
    }

    List<BenchTable> tables() {
        return List.of(
                table("Operations a second", FsRun::perSecond, true),
                table("Processor time of the server, microseconds an operation", FsRun::serverMicros, false));
    }

    private BenchTable table(String title, ToDoubleFunction<FsRun> value, boolean barred) {
        List<List<String>> lines = new ArrayList<>();
        runs.forEach((workload, byKind) -> {
            Samples ours = samples(byKind, FsServer.Kind.FAIRLEAD, value);
            Samples peer = samples(byKind, FsServer.Kind.VIRTIOFSD, value);
            Double ratio = peer.median() == 0 ? null : Double.valueOf(ours.median() / peer.median());
            Bar bar = barred ? workload.bar() : null;
            String verdict =
                    bar == null ? "" : bar.text() + (bar.isHeld(ours.median(), ratio) ? ": held" : ": NOT held");
            lines.add(List.of(
                    workload.name(), Figures.spread(ours), Figures.spread(peer), Figures.ratio(ratio), verdict));
        });
        return new BenchTable(title, List.of("workload", "fairlead", "virtiofsd", "ratio", "bar"), lines);
    }

    private static Samples samples(
            Map<FsServer.Kind, List<FsRun>> byKind, FsServer.Kind kind, ToDoubleFunction<FsRun> value) {
        return Samples.of(
                byKind.getOrDefault(kind, List.of()).stream().mapToDouble(value).toArray());
    }
}
