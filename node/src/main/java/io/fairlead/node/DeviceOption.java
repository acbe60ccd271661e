package io.fairlead.node;

import io.fairlead.virtio.DeviceId;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * One {@code --device} of the command line: {@code key=value} pairs between commas; a comma within a value is doubled, as
 * QEMU has it.
 *
 * @param name unique name of the device
 * @param deviceId virtio device id
 * @param socket where its vhost-user socket is made
 * @param attributes the settings of the type
 */
public record DeviceOption(String name, int deviceId, Path socket, Map<String, String> attributes) {
    public DeviceOption {
        attributes = Collections.unmodifiableMap(new LinkedHashMap<>(attributes));
    }

    /** @throws IllegalArgumentException with what is wrong and what is expected */
    public static DeviceOption parse(String text) {
        Map<String, String> pairs = pairs(text);
        int deviceId = takeDeviceId(pairs, text);
        String name = take(pairs, "name", text);
        Path socket = Path.of(take(pairs, "socket", text));
        return new DeviceOption(name, deviceId, socket, pairs);
    }

    /** The pairs of a device, in order; may be changed. */
    public static Map<String, String> pairs(String text) {
        Map<String, String> pairs = new LinkedHashMap<>();
        // A lone comma ends a pair; the look-around leaves doubled ones alone.
        for (String pair : text.replace(",,", "\0").split(",", -1)) {
            int equals = pair.indexOf('=');
            if (equals <= 0) {
                throw new IllegalArgumentException("device '%s': '%s' is not key=value".formatted(text, pair));
            }
            String key = pair.substring(0, equals);
            String value = pair.substring(equals + 1).replace('\0', ',');
            if (pairs.putIfAbsent(key, value) != null) {
                throw new IllegalArgumentException("device '%s': %s is given twice".formatted(text, key));
            }
        }
        return pairs;
    }

    /** Takes the type out of pairs: its virtio device id. */
    public static int takeDeviceId(Map<String, String> pairs, String text) {
        String type = take(pairs, "type", text);
        return DeviceId.byName(type)
                .orElseThrow(() -> new IllegalArgumentException(
                        "device '%s': type %s is not a virtio type; such as blk".formatted(text, type)));
    }

    /** A device as a file or a command has it, see {@link #into}. */
    public static DeviceOption of(JsonNode node) {
        String type = node.path("type").asString("");
        return new DeviceOption(
                node.path("name").asString(""),
                DeviceId.byName(type)
                        .orElseThrow(
                                () -> new IllegalArgumentException("type %s is not a virtio type".formatted(type))),
                Path.of(node.path("socket").asString("")),
                attributes(node));
    }

    /** The member {@code attributes} of a node. */
    public static Map<String, String> attributes(JsonNode node) {
        Map<String, String> attributes = new LinkedHashMap<>();
        node.path("attributes")
                .properties()
                .forEach(
                        entry -> attributes.put(entry.getKey(), entry.getValue().asString("")));
        return attributes;
    }

    /** Puts all of it into an object; the socket as another process finds it. */
    public ObjectNode into(ObjectNode node) {
        node.put("name", name)
                .put("type", DeviceId.name(deviceId))
                .put("socket", socket.toAbsolutePath().toString());
        ObjectNode described = node.putObject("attributes");
        attributes.forEach(described::put);
        return node;
    }

    /** Takes a value that has to be there out of pairs. */
    public static String take(Map<String, String> pairs, String key, String text) {
        String value = pairs.remove(key);
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException("device '%s': %s=... is missing".formatted(text, key));
        }
        return value;
    }
}
