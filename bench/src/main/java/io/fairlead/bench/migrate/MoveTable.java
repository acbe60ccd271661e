package io.fairlead.bench.migrate;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Figures;
import io.fairlead.bench.Samples;
import java.util.ArrayList;
import java.util.List;

/** A table of what moves took, ours beside a peer's. */
final class MoveTable {
    private MoveTable() {}

    /**
     * Makes one of the rows whose names start with a word and a slash, which it leaves out.
     *
     * @param word also the header over what is ours
     */
    static BenchTable of(String title, String word, String theirs, List<BenchRow> rows) {
        String prefix = word + "/";
        List<List<String>> lines = new ArrayList<>();
        for (BenchRow row : rows) {
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
        return new BenchTable(title, List.of("", word, theirs, "ratio", "bar"), lines);
    }
}
