package io.fairlead.systemtests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToLongFunction;
import java.util.stream.IntStream;

/** What moves took, as tables for the documentation, in this module's target folder. One thread. */
final class MatrixTable {
    private static final String HEAD = """
            | from | to | rings | QEMU | ms in all | ms stood still | passes | MiB verified | lost |
            | --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
            """;

    private final Map<String, StringBuilder> tables = new LinkedHashMap<>();

    /** Adds a guest that lost nothing; its moves are there, back, there, and so on. */
    void add(String title, VendorCell cell, List<VendorHosts.Move> moves, GuestLoad.Outcome outcome)
            throws IOException {
        String row = String.format(
                Locale.ROOT,
                "| %s | %s | %s | %s to %s | %s | %s | %s | %,d | 0 |",
                cell.here(),
                cell.there(),
                cell.rings(),
                VendorCell.version(cell.qemuHere()),
                VendorCell.version(cell.qemuThere()),
                thereAndBack(moves, VendorHosts.Move::totalMillis),
                thereAndBack(moves, VendorHosts.Move::downtimeMillis),
                thereAndBack(moves, VendorHosts.Move::passes),
                outcome.verifiedBytes() >> 20);
        Lab.report("%s", row);
        StringBuilder _ = tables.computeIfAbsent(title, _ -> new StringBuilder(HEAD))
                .append(row)
                .append('\n');
        write();
    }

    /** The figure of each direction: that of the one move, or the median, least and greatest of many. */
    private static String thereAndBack(List<VendorHosts.Move> moves, ToLongFunction<VendorHosts.Move> figure) {
        StringBuilder text = new StringBuilder();
        for (int direction = 0; direction < 2; direction++) {
            int first = direction;
            long[] values = IntStream.range(0, moves.size())
                    .filter(i -> i % 2 == first)
                    .mapToLong(i -> figure.applyAsLong(moves.get(i)))
                    .sorted()
                    .toArray();
            text.append(direction == 0 ? "" : ", back ")
                    .append(String.format(Locale.ROOT, "%,d", values[values.length / 2]));
            if (values.length > 1) {
                text.append(String.format(Locale.ROOT, " (%,d-%,d)", values[0], values[values.length - 1]));
            }
        }
        return text.toString();
    }

    private void write() throws IOException {
        StringBuilder text = new StringBuilder();
        tables.forEach((title, rows) ->
                text.append("## ").append(title).append("\n\n").append(rows).append('\n'));
        String root = System.getProperty("fairlead.root", "..");
        Path _ = Files.writeString(Path.of(root, "system-tests", "target", "migration-matrix.md"), text);
    }
}
