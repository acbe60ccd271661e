package io.fairlead.cli.demo;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * One move of the machine.
 *
 * @param from the host that it left
 * @param to the host that it reached
 * @param totalMillis from the command to the end
 * @param phaseMillis of each phase
 * @param qemuDowntimeMillis how long the machine stood still, as QEMU says
 * @param guestOutageMillis the longest pause of a process in the guest
 * @param stateBytes of the devices' final states
 * @param transferredBytes over QEMU's stream
 * @param marked pages that devices marked as written
 * @param away devices that left the machine before the move, as QEMU does not migrate them
 */
public record DemoMove(
        String from,
        String to,
        long totalMillis,
        Map<String, Long> phaseMillis,
        long qemuDowntimeMillis,
        double guestOutageMillis,
        long stateBytes,
        long transferredBytes,
        List<Marked> marked,
        List<Away> away) {
    /**
     * A device that left the machine and came back to it.
     *
     * @param problem why it did not come back; empty where it did
     */
    public record Away(String device, long awayMillis, String problem) {
        static Away of(JsonNode node) {
            return new Away(
                    node.path("device").asString(""),
                    node.path("awayMillis").asLong(),
                    node.path("problem").asString(""));
        }

        private String text() {
            return device
                    + (problem.isEmpty() ? String.format(Locale.ROOT, " %,d ms", awayMillis) : " LOST: " + problem);
        }
    }

    /**
     * What one device marked.
     *
     * @param pages that had no mark before; null where another process marks and nobody counts
     * @param bytes the same in bytes
     */
    public record Marked(
            String device, @Nullable Long pages, @Nullable Long bytes) {
        static Marked of(JsonNode marks) {
            JsonNode pages = marks.path("pages");
            return new Marked(
                    marks.path("device").asString(""),
                    pages.isNumber() ? pages.asLong() : null,
                    pages.isNumber() ? marks.path("bytes").asLong() : null);
        }

        private String text() {
            return device + (pages == null ? " not known" : String.format(Locale.ROOT, " %,d", pages));
        }
    }

    public DemoMove {
        marked = List.copyOf(marked);
        away = List.copyOf(away);
    }

    /** @param report of the source's node */
    static DemoMove of(String from, String to, JsonNode report, double guestOutageMillis) {
        Map<String, Long> phases = new LinkedHashMap<>();
        report.path("phaseMillis")
                .properties()
                .forEach(phase -> phases.put(phase.getKey(), phase.getValue().asLong()));
        return new DemoMove(
                from,
                to,
                report.path("totalMillis").asLong(),
                phases,
                report.path("qemuDowntimeMillis").asLong(),
                guestOutageMillis,
                report.path("stateBytes").asLong(),
                report.path("transferredBytes").asLong(),
                report.path("marked").valueStream().map(Marked::of).toList(),
                report.path("away").valueStream().map(Away::of).toList());
    }

    /** For a terminal. */
    String text() {
        StringBuilder phases = new StringBuilder();
        phaseMillis.forEach((phase, millis) -> phases.append(phases.isEmpty() ? "" : ", ")
                .append(phase)
                .append(' ')
                .append(millis));
        return String.format(
                Locale.ROOT,
                "%-19s %,d ms (%s); stood still %d ms by QEMU, %.0f ms in the guest; %,d bytes of device state, %.0f MiB;"
                        + " pages marked by devices: %s",
                from + " -> " + to,
                totalMillis,
                phases,
                qemuDowntimeMillis,
                guestOutageMillis,
                stateBytes,
                transferredBytes / (double) (1 << 20),
                marked.stream().map(Marked::text).collect(Collectors.joining(", "))
                        + (away.isEmpty()
                                ? ""
                                : away.stream().map(Away::text).collect(Collectors.joining(", ", "; away: ", ""))));
    }
}
