package io.fairlead.cli.output;

import java.util.ArrayList;
import java.util.List;

/** Rows under headers, as wide as they need; columns with nothing but numbers are set to the right. One thread. */
public final class Table {
    private static final String GAP = "  ";

    private final List<String> headers;
    private final List<List<String>> rows = new ArrayList<>();
    private final boolean[] hasText;

    public Table(String... headers) {
        this.headers = List.of(headers);
        hasText = new boolean[headers.length];
    }

    /**
     * Adds a row.
     *
     * @param cells one a column; a {@link Number} or a {@link Quantity} leaves its column one of numbers
     */
    public Table row(Object... cells) {
        if (cells.length != headers.size()) {
            throw new IllegalArgumentException(cells.length + " cells for " + headers.size() + " columns");
        }
        List<String> row = new ArrayList<>();
        for (int i = 0; i < cells.length; i++) {
            row.add(printable(cells[i].toString()));
            hasText[i] |= !(cells[i] instanceof Number) && !(cells[i] instanceof Quantity);
        }
        rows.add(row);
        return this;
    }

    /**
     * The table's lines, each with its end.
     *
     * @param withColours whether headers are bold
     */
    public String text(boolean withColours) {
        int[] widths = new int[headers.size()];
        for (int i = 0; i < widths.length; i++) {
            widths[i] = headers.get(i).length();
            for (List<String> row : rows) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        StringBuilder text = new StringBuilder();
        String head = line(headers, widths);
        text.append(withColours ? "\033[1m" + head + "\033[0m" : head).append('\n');
        rows.forEach(row -> text.append(line(row, widths)).append('\n'));
        return text.toString();
    }

    private String line(List<String> cells, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            String fill = " ".repeat(widths[i] - cells.get(i).length());
            boolean toTheRight = !hasText[i] && !rows.isEmpty();
            line.append(i == 0 ? "" : GAP)
                    .append(toTheRight ? fill : "")
                    .append(cells.get(i))
                    .append(toTheRight ? "" : fill);
        }
        return line.toString().stripTrailing();
    }

    /** What came from elsewhere moves no cursor. */
    public static String printable(String text) {
        StringBuilder printable = new StringBuilder(text.length());
        text.codePoints().forEach(c -> printable.appendCodePoint(Character.isISOControl(c) ? '?' : c));
        return printable.toString();
    }
}
