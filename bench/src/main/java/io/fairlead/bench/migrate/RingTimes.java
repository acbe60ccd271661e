package io.fairlead.bench.migrate;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.Samples;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** How long the rings of devices took to stop and to start, as their daemons say at their end. One thread. */
final class RingTimes {
    private static final double MICROS_PER_MILLI = 1e3;
    private static final JsonMapper JSON = new JsonMapper();

    private final Map<String, List<Double>> stopMillis = new LinkedHashMap<>();
    private final Map<String, List<Double>> startMillis = new LinkedHashMap<>();

    /** @param written all that a daemon said */
    void add(String written) {
        for (String line : written.lines().filter(text -> text.startsWith("{")).toList()) {
            JsonNode node = JSON.readTree(line);
            if (node.has("longestStopMicros")) {
                String device = node.path("name").asString("");
                add(stopMillis, device, node.path("longestStopMicros").asDouble());
                add(startMillis, device, node.path("longestStartMicros").asDouble());
            }
        }
    }

    private static void add(Map<String, List<Double>> times, String device, double micros) {
        times.computeIfAbsent(device, key -> new ArrayList<>()).add(micros / MICROS_PER_MILLI);
    }

    boolean isEmpty() {
        return stopMillis.isEmpty();
    }

    /** Two rows a device: the longest stop and start of a ring over all moves, at each of the hosts. */
    List<BenchRow> rows(String prefix, Bar bar) {
        List<BenchRow> rows = new ArrayList<>();
        stopMillis.forEach((device, millis) -> rows.add(row(prefix, "stop", device, millis, bar)));
        startMillis.forEach((device, millis) -> rows.add(row(prefix, "start", device, millis, bar)));
        return rows;
    }

    private static BenchRow row(String prefix, String what, String device, List<Double> millis, Bar bar) {
        return new BenchRow(
                "%s/longest %s of a ring in any move, %s".formatted(prefix, what, device),
                "ms",
                Samples.of(millis),
                null,
                bar);
    }
}
