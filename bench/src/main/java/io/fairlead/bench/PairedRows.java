package io.fairlead.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Collects runs of ours and of one peer, in turn, and makes rows and tables of them. One thread. */
public final class PairedRows {
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
    }

    private final Map<String, Pair> pairs = new LinkedHashMap<>();

    /** Nothing has been measured yet. */
    public PairedRows() {}

    /**
     * One run of one thing.
     *
     * @param name of the row; unit and bar are those of its first run
     */
    public void add(String name, String unit, @Nullable Bar bar, boolean isOurs, double value) {
        Pair pair = pairs.computeIfAbsent(name, _ -> new Pair(unit, bar));
        (isOurs ? pair.ours : pair.peers).add(value);
    }

    /**
     * All rows, in the order of their first runs.
     *
     * @throws IllegalArgumentException where one side has no run of a row
     */
    public List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        pairs.forEach((name, pair) ->
                rows.add(new BenchRow(name, pair.unit, Samples.of(pair.ours), Samples.of(pair.peers), pair.bar)));
        return rows;
    }

    /** The rows whose names begin with a prefix, without it. */
    public BenchTable table(String title, String prefix, String ours, String theirs) {
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
