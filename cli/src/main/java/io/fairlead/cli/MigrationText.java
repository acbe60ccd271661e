package io.fairlead.cli;

import java.io.PrintStream;
import java.util.Locale;
import tools.jackson.databind.JsonNode;

/** What a node says of a check or a migration, for people. One thread. */
final class MigrationText {
    private static final double MIB = 1 << 20;

    private final PrintStream out;
    private final boolean showsAllVerdicts;
    private final boolean isTerminal;
    private String phase = "";
    private boolean lineOpen;

    /**
     * @param showsAllVerdicts or only those that are not simply good
     * @param isTerminal whether a line may be drawn again
     */
    MigrationText(PrintStream out, boolean showsAllVerdicts, boolean isTerminal) {
        this.out = out;
        this.showsAllVerdicts = showsAllVerdicts;
        this.isTerminal = isTerminal;
    }

    void show(JsonNode line) {
        if (line.has("verdict")) {
            verdict(line.path("verdict"));
        } else if (line.has("phase")) {
            endLine();
            phase = line.path("phase").asString("");
            out.println(phase);
        } else if (line.has("progress")) {
            progress(line.path("progress"));
        } else if (line.has("note")) {
            endLine();
            out.println(line.path("note").asString(""));
        } else if (line.has("report")) {
            endLine();
            report(line.path("report"));
        } else {
            endLine();
            out.println(line);
        }
        out.flush();
    }

    private void verdict(JsonNode verdict) {
        String outcome = verdict.path("outcome").asString("");
        if (!showsAllVerdicts && outcome.equals("OK")) {
            return;
        }
        String values = verdict.path("source").asString("") + " -> "
                + verdict.path("destination").asString("");
        out.printf(
                Locale.ROOT,
                "%-8s %-10s %-24s %s: %s%n",
                outcome.equals("OK") ? "ok" : outcome.toLowerCase(Locale.ROOT),
                verdict.path("subject").asString(""),
                verdict.path("field").asString(""),
                values.length() <= 80 ? values : values.substring(0, 77) + "...",
                verdict.path("reason").asString(""));
        String remedy = verdict.path("remedy").asString("");
        if (!remedy.isEmpty()) {
            out.println("         remedy: " + remedy);
        }
    }

    private void progress(JsonNode progress) {
        String line = String.format(
                Locale.ROOT,
                "  %s: %.0f of %.0f MiB left, %.1f MiB/s, memory changes at %.1f MiB/s, pass %d",
                phase,
                progress.path("remainingBytes").asLong() / MIB,
                progress.path("totalBytes").asLong() / MIB,
                progress.path("rateBytesPerSecond").asLong() / MIB,
                progress.path("dirtyBytesPerSecond").asLong() / MIB,
                progress.path("passes").asLong());
        if (isTerminal) {
            out.print("\r\033[K" + line);
            lineOpen = true;
        } else {
            out.println(line);
        }
    }

    private void endLine() {
        if (lineOpen) {
            out.println();
            lineOpen = false;
        }
    }

    private void report(JsonNode report) {
        out.println();
        out.printf(
                "%-18s %s%n",
                "result",
                switch (report.path("result").asString("")) {
                    case "MOVED" -> "runs at the destination";
                    case "STAYED" -> "runs at the source";
                    default -> "lost";
                });
        millis("total", report.path("totalMillis"));
        report.path("phaseMillis").properties().forEach(entry -> millis("  " + entry.getKey(), entry.getValue()));
        millis("stood still", report.path("stoppedMillis"));
        millis("  until the grant", report.path("stopMillis"));
        millis("  loaded after", report.path("loadedMillis"));
        millis("  running after", report.path("startedMillis"));
        millis("downtime by QEMU", report.path("qemuDowntimeMillis"));
        out.printf(
                "%-18s %,d bytes%n", "device states", report.path("stateBytes").asLong());
        out.printf(
                Locale.ROOT,
                "%-18s %.1f MiB in %d passes%n",
                "memory sent",
                report.path("transferredBytes").asLong() / MIB,
                report.path("passes").asLong());
        report.path("marked").forEach(this::marked);
        for (JsonNode device : report.path("away")) {
            String problem = device.path("problem").asString("");
            out.printf(
                    Locale.ROOT,
                    "%-18s %s: %s%n",
                    "unplugged",
                    device.path("device").asString(""),
                    problem.isEmpty()
                            ? String.format(
                                    Locale.ROOT,
                                    "back after %,d ms",
                                    device.path("awayMillis").asLong())
                            : problem);
        }
        if (report.path("checkedBytes").asLong() > 0) {
            out.printf(
                    Locale.ROOT,
                    "%-18s %.1f MiB, hashed in %,d ms of the stop%n",
                    "self-check",
                    report.path("checkedBytes").asLong() / MIB,
                    report.path("checkMillis").asLong());
        }
    }

    private void marked(JsonNode device) {
        String pages = device.path("pages").isNull()
                ? "not known, another process marks them"
                : String.format(
                        Locale.ROOT,
                        "%,d (%.1f MiB)",
                        device.path("pages").asLong(),
                        device.path("bytes").asLong() / MIB);
        out.printf("%-18s %s: %s%n", "pages marked", device.path("device").asString(""), pages);
    }

    private void millis(String name, JsonNode value) {
        out.printf("%-18s %,d ms%n", name, value.asLong());
    }
}
