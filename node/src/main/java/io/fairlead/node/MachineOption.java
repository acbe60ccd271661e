package io.fairlead.node;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A machine of a node, as a user names it.
 *
 * @param name the same on every host
 * @param qmp the socket of a monitor of its QEMU that is the node's own; QEMU may come later
 * @param devices names of the node's devices that it uses; each has the same name on every host
 */
public record MachineOption(String name, Path qmp, List<String> devices) {
    public MachineOption {
        devices = List.copyOf(devices);
    }

    /**
     * Parses {@code name=vm0,qmp=/run/vm0.qmp,devices=disk0+disk1}.
     *
     * @throws IllegalArgumentException with what is wrong and what is expected
     */
    public static MachineOption parse(String text) {
        Map<String, String> pairs = new LinkedHashMap<>();
        for (String pair : text.split(",", -1)) {
            int equals = pair.indexOf('=');
            if (equals <= 0 || equals == pair.length() - 1) {
                throw new IllegalArgumentException("machine '%s': '%s' is not key=value".formatted(text, pair));
            }
            if (pairs.putIfAbsent(pair.substring(0, equals), pair.substring(equals + 1)) != null) {
                throw new IllegalArgumentException(
                        "machine '%s': %s is given twice".formatted(text, pair.substring(0, equals)));
            }
        }
        if (!pairs.keySet().equals(Set.of("name", "qmp", "devices"))) {
            throw new IllegalArgumentException(
                    "machine '%s': name=, qmp= and devices= are needed, and nothing else".formatted(text));
        }
        List<String> devices = List.of(pairs.getOrDefault("devices", "").split("\\+", -1));
        if (devices.contains("") || new LinkedHashSet<>(devices).size() != devices.size()) {
            throw new IllegalArgumentException(
                    "machine '%s': devices= takes names with + between them, each once".formatted(text));
        }
        return new MachineOption(pairs.getOrDefault("name", ""), Path.of(pairs.getOrDefault("qmp", "")), devices);
    }
}
