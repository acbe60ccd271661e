package io.fairlead.bench;

import java.util.ArrayList;
import java.util.List;

/**
 * A table for people.
 *
 * @param title what it shows
 * @param header names of the columns; the first column is text, the others are numbers
 * @param lines as many cells each as the header
 */
public record BenchTable(String title, List<String> header, List<List<String>> lines) {
    public BenchTable {
        header = List.copyOf(header);
        lines = lines.stream().map(List::copyOf).toList();
        for (List<String> line : lines) {
            if (line.size() != header.size()) {
                throw new IllegalArgumentException(
                        "%s: %d cells under %d columns".formatted(title, line.size(), header.size()));
            }
        }
    }

    /** Columns lined up by spaces, for a terminal. */
    public String text() {
        int[] widths = new int[header.size()];
        List<List<String>> all = new ArrayList<>();
        all.add(header);
        all.addAll(lines);
        for (List<String> line : all) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], line.get(i).length());
            }
        }
        StringBuilder text = new StringBuilder(title).append('\n');
        for (List<String> line : all) {
            StringBuilder row = new StringBuilder();
            for (int i = 0; i < widths.length; i++) {
                String cell = line.get(i);
                String gap = " ".repeat(widths[i] - cell.length());
                row.append(i == 0 ? cell + gap : "  " + gap + cell);
            }
            text.append(row.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }

    /** The same in Markdown, under a heading of the second level. */
    public String markdown() {
        StringBuilder text = new StringBuilder("## ").append(title).append("\n\n");
        appendMarkdown(text, header);
        List<String> rule = new ArrayList<>();
        for (int i = 0; i < header.size(); i++) {
            rule.add(i == 0 ? "---" : "---:");
        }
        appendMarkdown(text, rule);
        lines.forEach(line -> appendMarkdown(text, line));
        return text.toString();
    }

    private static void appendMarkdown(StringBuilder text, List<String> cells) {
        text.append('|');
        for (String cell : cells) {
            text.append(' ').append(cell.replace("|", "\\|")).append(" |");
        }
        text.append('\n');
    }
}
