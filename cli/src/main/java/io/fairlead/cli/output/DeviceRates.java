package io.fairlead.cli.output;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What devices do in a second, of two looks at what they count. */
public final class DeviceRates {
    /** What is counted of a queue, under the daemon's names. */
    private static final List<String> COUNTERS =
            List.of("requests", "failedRequests", "readBytes", "writtenBytes", "kicks", "signals");

    private final List<Rate> rates = new ArrayList<>();

    /**
     * A device's.
     *
     * @param machine empty where it has none
     * @param perSecond by counter; empty for a device that was not there at the first look, or began anew
     */
    public record Rate(String device, String machine, Map<String, Double> perSecond, long guestFaults) {}

    /**
     * @param before an answer of {@code GET /v1/statistics}
     * @param after a later one
     * @param nanos the time between them, more than 0
     */
    public DeviceRates(JsonNode before, JsonNode after, long nanos) {
        if (nanos <= 0) {
            throw new IllegalArgumentException("no time between two looks: " + nanos + " ns");
        }
        Map<String, JsonNode> known = new HashMap<>();
        before.path("devices").forEach(device -> known.put(device.path("name").asString(""), device));
        for (JsonNode device : after.path("devices")) {
            String name = device.path("name").asString("");
            JsonNode earlier = known.get(name);
            Map<String, Double> perSecond = new HashMap<>();
            if (earlier != null && COUNTERS.stream().allMatch(each -> sum(device, each) >= sum(earlier, each))) {
                COUNTERS.forEach(each -> perSecond.put(each, (sum(device, each) - sum(earlier, each)) * 1e9 / nanos));
            }
            rates.add(new Rate(
                    name, device.path("machine").asString(""), Map.copyOf(perSecond), sum(device, "guestFaults")));
        }
        // The busiest first; of the same, by name, so that lines do not jump.
        rates.sort(java.util.Comparator.comparingDouble(
                        (Rate rate) -> -rate.perSecond().getOrDefault("requests", 0.0))
                .thenComparing(Rate::device));
    }

    private static long sum(JsonNode device, String counter) {
        long sum = 0;
        for (JsonNode queue : device.path("queues")) {
            sum += queue.path(counter).asLong(0);
        }
        return sum;
    }

    /** The devices, the busiest first. */
    public List<Rate> rates() {
        return List.copyOf(rates);
    }

    /** The devices for people. */
    public Table table() {
        Table table = new Table(
                "DEVICE", "MACHINE", "REQUESTS/s", "READ/s", "WRITTEN/s", "FAILED/s", "KICKS/s", "SIGNALS/s", "FAULTS");
        for (Rate rate : rates) {
            table.row(
                    rate.device(),
                    rate.machine().isEmpty() ? "-" : rate.machine(),
                    count(rate, "requests"),
                    bytes(rate, "readBytes"),
                    bytes(rate, "writtenBytes"),
                    count(rate, "failedRequests"),
                    count(rate, "kicks"),
                    count(rate, "signals"),
                    rate.guestFaults());
        }
        return table;
    }

    /** The devices for programs; {@code perSecond} has nothing where the rates are not known. */
    public ObjectNode json() {
        ObjectNode document = JsonMapper.shared().createObjectNode();
        ArrayNode devices = document.putArray("devices");
        for (Rate rate : rates) {
            ObjectNode device = devices.addObject().put("name", rate.device()).put("machine", rate.machine());
            ObjectNode perSecond = device.putObject("perSecond");
            for (String counter : COUNTERS) {
                Double value = rate.perSecond().get(counter);
                if (value != null) {
                    perSecond.put(counter, value);
                }
            }
            device.put("guestFaults", rate.guestFaults());
        }
        return document;
    }

    private static Quantity count(Rate rate, String counter) {
        Double value = rate.perSecond().get(counter);
        return value == null ? Quantity.UNKNOWN : Quantity.count(value);
    }

    private static Quantity bytes(Rate rate, String counter) {
        Double value = rate.perSecond().get(counter);
        return value == null ? Quantity.UNKNOWN : Quantity.bytes(value);
    }
}
