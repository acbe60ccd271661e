package io.fairlead.bench;

import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a benchmark found.
 *
 * @param title of the whole
 * @param command that repeats it
 * @param measured when
 * @param machine on what: names and values, in order
 * @param notes how it was measured and what to mind, in Markdown
 * @param rows all measurements, for programs
 * @param tables the same for people
 */
public record BenchReport(
        String title,
        String command,
        Instant measured,
        Map<String, String> machine,
        List<String> notes,
        List<BenchRow> rows,
        List<BenchTable> tables) {
    private static final JsonMapper MAPPER = new JsonMapper();

    public BenchReport {
        notes = List.copyOf(notes);
        rows = List.copyOf(rows);
        tables = List.copyOf(tables);
    }

    /**
     * {@code {"rows": [{"name", "unit", "ours", "peer", "ratio", "bar", "held"}], ...}}: medians; {@code peer}, {@code
     * ratio}, {@code bar} and {@code held} are null where there is none. Beside the rows: {@code spread}, the least and
     * the greatest of each row's runs, and {@code machine}.
     */
    public String json() {
        ObjectNode root = MAPPER.createObjectNode();
        ArrayNode rowNodes = root.putArray("rows");
        ArrayNode spreadNodes = root.putArray("spread");
        for (BenchRow row : rows) {
            Samples peer = row.peer();
            Bar bar = row.bar();
            ObjectNode node = rowNodes.addObject();
            node.put("name", row.name());
            node.put("unit", row.unit());
            node.put("ours", row.ours().median());
            node.put("peer", peer == null ? null : Double.valueOf(peer.median()));
            node.put("ratio", row.ratio());
            node.put("bar", bar == null ? null : bar.text());
            node.put("held", row.held());
            ObjectNode spread = spreadNodes.addObject();
            spread.put("name", row.name());
            spread.put("runs", row.ours().count());
            spread.put("oursMin", row.ours().min());
            spread.put("oursMax", row.ours().max());
            spread.put("peerMin", peer == null ? null : Double.valueOf(peer.min()));
            spread.put("peerMax", peer == null ? null : Double.valueOf(peer.max()));
        }
        root.put("command", command);
        root.put("measured", measured.toString());
        ObjectNode machineNode = root.putObject("machine");
        machine.forEach(machineNode::put);
        return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n";
    }

    /** The tables and which bars are held, for a terminal. */
    public String text() {
        String body = tables.stream().map(BenchTable::text).collect(Collectors.joining("\n"));
        return body + "\n" + bars();
    }

    /** A page for the documentation. */
    public String markdown() {
        StringBuilder text = new StringBuilder("# ").append(title).append("\n\n");
        text.append("Measured on ")
                .append(LocalDate.ofInstant(measured, ZoneOffset.UTC))
                .append(". To repeat it:\n\n    ")
                .append(command)
                .append("\n\n");
        notes.forEach(note -> text.append("- ").append(note).append('\n'));
        text.append("\n## Machine\n\n| | |\n| --- | --- |\n");
        machine.forEach((name, value) -> text.append("| ")
                .append(name)
                .append(" | ")
                .append(value.replace("|", "\\|"))
                .append(" |\n"));
        tables.forEach(table -> text.append('\n').append(table.markdown()));
        return text.append("\n## Bars\n\n")
                .append(bars().lines().map(line -> "- " + line + "\n").collect(Collectors.joining()))
                .toString();
    }

    private String bars() {
        List<BenchRow> barred = rows.stream().filter(row -> row.bar() != null).toList();
        long held =
                barred.stream().filter(row -> Boolean.TRUE.equals(row.held())).count();
        StringBuilder text = new StringBuilder("%d of %d bars held%n".formatted(held, barred.size()));
        for (BenchRow row : barred) {
            Bar bar = row.bar();
            if (bar != null && !Boolean.TRUE.equals(row.held())) {
                Double ratio = row.ratio();
                text.append("not held: %s: %s%s; bar: %s%n"
                        .formatted(
                                row.name(),
                                Figures.of(row.ours().median(), row.unit()),
                                ratio == null ? "" : ", ratio " + Figures.ratio(ratio),
                                bar.text()));
            }
        }
        return text.toString();
    }
}
