package io.fairlead.qemu;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** QEMU's option syntaxes: key=value pairs separated by commas, and JSON. */
public final class Options {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
            .build();

    /** Properties of devices that are text, whatever it looks like. */
    private static final Set<String> TEXT = Set.of(
            "addr",
            "bus",
            "chardev",
            "disable-legacy",
            "drive",
            "host",
            "mac",
            "netdev",
            "romfile",
            "serial",
            "tag",
            "vhostdev");

    private Options() {}

    /** A value in which commas are doubled, so that it cannot end its option. */
    public static String escape(String value) {
        return value.replace(",", ",,");
    }

    /** An option's value in JSON, with members in the order of their names. */
    public static String json(Map<String, ?> value) {
        return JSON.writeValueAsString(value);
    }

    /** Properties of a device as what they are, since QEMU takes no text for a number in JSON; sorted by name. */
    public static Map<String, Object> typed(Map<String, String> properties) {
        Map<String, Object> typed = new TreeMap<>();
        properties.forEach((name, value) -> typed.put(name, TEXT.contains(name) ? value : typed(value)));
        return typed;
    }

    private static Object typed(String value) {
        return switch (value) {
            case "on", "true" -> true;
            case "off", "false" -> false;
            default -> value.matches("[0-9]{1,18}") ? Long.parseLong(value) : value;
        };
    }
}
