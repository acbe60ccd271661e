package io.fairlead.bench.net;

import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Figures;
import io.fairlead.bench.Samples;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/** Collects what runs with a guest have measured, and makes rows and tables of it. */
final class GuestResults {
    /** One run: what went over, and processor time for each part of it, of all and of the device. */
    private record Run(double value, double cpu, double deviceCpu) {}

    private final Map<GuestTraffic, Map<GuestNic, List<Run>>> runs = new EnumMap<>(GuestTraffic.class);

    void add(GuestTraffic traffic, GuestNic nic, GuestTraffic.Outcome outcome, TapGuest.Usage usage) {
        runs.computeIfAbsent(traffic, _ -> new EnumMap<>(GuestNic.class))
                .computeIfAbsent(nic, _ -> new ArrayList<>())
                .add(new Run(outcome.value(), traffic.cpu(usage.all(), outcome), traffic.cpu(usage.device(), outcome)));
    }

    List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        for (GuestTraffic traffic : runs.keySet()) {
            String name = traffic.rowName() + "%s vs " + GuestNic.QEMU.label();
            rows.add(row(traffic, name.formatted(""), traffic.unit(), Run::value));
            rows.add(row(traffic, name.formatted("/cpu"), traffic.cpuUnit(), Run::cpu));
            rows.add(row(traffic, name.formatted("/device-cpu"), traffic.cpuUnit(), Run::deviceCpu));
        }
        return rows;
    }

    private BenchRow row(GuestTraffic traffic, String name, String unit, ToDoubleFunction<Run> value) {
        return new BenchRow(
                name, unit, samples(traffic, GuestNic.FAIRLEAD, value), samples(traffic, GuestNic.QEMU, value), null);
    }

    List<BenchTable> tables() {
        if (runs.isEmpty()) {
            return List.of();
        }
        return List.of(
                table("Host and guest by TAP", Run::value, GuestTraffic::unit),
                table("Processor time of QEMU and the daemon together", Run::cpu, GuestTraffic::cpuUnit),
                table("The same without the guest's processors", Run::deviceCpu, GuestTraffic::cpuUnit));
    }

    private BenchTable table(String title, ToDoubleFunction<Run> value, Function<GuestTraffic, String> unit) {
        List<List<String>> lines = new ArrayList<>();
        for (GuestTraffic traffic : runs.keySet()) {
            BenchRow row = row(traffic, "", "", value);
            lines.add(List.of(
                    "%s, %s".formatted(traffic.rowName(), unit.apply(traffic)),
                    Figures.spread(row.ours()),
                    Figures.spread(samples(traffic, GuestNic.QEMU, value)),
                    // The kernel tells processor time in steps of 10 ms: there may be none.
                    Figures.ratio(row.ratio())));
        }
        return new BenchTable(
                title, List.of("traffic", GuestNic.FAIRLEAD.label(), GuestNic.QEMU.label(), "ratio"), lines);
    }

    private Samples samples(GuestTraffic traffic, GuestNic nic, ToDoubleFunction<Run> value) {
        return Samples.of(runs.getOrDefault(traffic, Map.of()).getOrDefault(nic, List.of()).stream()
                .mapToDouble(value)
                .toArray());
    }
}
