package io.fairlead.systemtests;

import io.fairlead.testbed.L1Kernel;
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
    /** Of {@link #figures}. */
    private static final String RULES = " ---: | ---: | ---: | ---: | ---: |";

    private final Map<String, StringBuilder> tables = new LinkedHashMap<>();
    private final String file;
    private final String verified;

    /** Of disks. */
    MatrixTable() {
        this("migration-matrix.md", "MiB verified");
    }

    /**
     * @param file where the tables go
     * @param verified the name of the column that says what was verified
     */
    MatrixTable(String file, String verified) {
        this.file = file;
        this.verified = verified;
    }

    /** Adds a guest that lost nothing; its moves are there, back, there, and so on. */
    void add(String title, VendorCell cell, List<VendorHosts.Move> moves, GuestLoad.Outcome outcome)
            throws IOException {
        add(
                title,
                "from | to | rings | QEMU",
                "%s | %s | %s | %s to %s"
                        .formatted(
                                cell.here(),
                                cell.there(),
                                cell.rings(),
                                VendorCell.version(cell.qemuHere()),
                                VendorCell.version(cell.qemuThere())),
                figures(moves, outcome));
    }

    /**
     * Adds a row.
     *
     * @param columns names of the first columns, with a bar between each two
     * @param cells what they have, likewise
     * @param figures as of {@link #figures}
     */
    void add(String title, String columns, String cells, String figures) throws IOException {
        String row = "| " + cells + " |" + figures;
        Lab.report("%s", row);
        StringBuilder _ =
                tables.computeIfAbsent(title, _ -> head(columns)).append(row).append('\n');
        write();
    }

    /**
     * Adds rows of pairs that moved in an L1 host.
     *
     * @param rows as of {@link #pair}
     */
    void addOnKernel(String title, L1Kernel kernel, List<String> rows) throws IOException {
        for (String row : rows) {
            String[] parts = row.split(" \\|", 3);
            add(title, "from | to | Linux", parts[0] + " |" + parts[1] + " | " + kernel, parts[2]);
        }
    }

    /** A row of a pair, without the kernel. */
    static String pair(Object here, Object there, String figures) {
        return here + " | " + there + " |" + figures;
    }

    private StringBuilder head(String columns) {
        String rules = " --- |".repeat(columns.split("\\|", -1).length);
        return new StringBuilder("| " + columns + " | ms in all | ms stood still | passes | " + verified
                + " | lost |\n|" + rules + RULES + "\n");
    }

    /** What a guest's moves took and what it verified, as the last cells of a row. */
    static String figures(List<VendorHosts.Move> moves, GuestLoad.Outcome outcome) {
        return figures(moves, String.format(Locale.ROOT, "%,d", outcome.verifiedBytes() >> 20));
    }

    /** The same with a word on what was verified. */
    static String figures(List<VendorHosts.Move> moves, String verified) {
        return " %s | %s | %s | %s | 0 |"
                .formatted(
                        thereAndBack(moves, VendorHosts.Move::totalMillis),
                        thereAndBack(moves, VendorHosts.Move::downtimeMillis),
                        thereAndBack(moves, VendorHosts.Move::passes),
                        verified);
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
        Path _ = Files.writeString(Path.of(root, "system-tests", "target", file), text);
    }
}
