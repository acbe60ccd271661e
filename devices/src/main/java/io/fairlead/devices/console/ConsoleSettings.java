package io.fairlead.devices.console;

import io.fairlead.devices.base.RingSettings;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a console shall be: one of the two paths is given.
 *
 * @param file what the guest puts out is appended to it; null for none
 * @param listen a Unix socket, made with mode 0600: whoever connects reads what the guest puts out and writes what it
 *     reads; null for none
 */
record ConsoleSettings(@Nullable Path file, @Nullable Path listen, RingSettings rings) {
    static final String ATTRIBUTES = "path, listen, " + RingSettings.ATTRIBUTES;

    /** @throws IllegalArgumentException where an attribute is unknown, missing or wrong */
    static ConsoleSettings of(Map<String, String> attributes) {
        Path file = null;
        Path listen = null;
        RingSettings rings = RingSettings.standard();
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            String key = attribute.getKey();
            switch (key) {
                case "path" -> file = path(key, attribute.getValue());
                case "listen" -> listen = path(key, attribute.getValue());
                default -> {
                    if (!RingSettings.has(key)) {
                        throw new IllegalArgumentException(
                                "%s: a console has no such attribute; it has: %s".formatted(key, ATTRIBUTES));
                    }
                    rings = rings.with(key, attribute.getValue());
                }
            }
        }
        if ((file == null) == (listen == null)) {
            throw new IllegalArgumentException(
                    "path, listen: a console has one of them: path=FILE for what it puts out, or listen=SOCKET for both ways");
        }
        return new ConsoleSettings(file, listen, rings);
    }

    private static Path path(String key, String value) {
        try {
            if (!value.isEmpty()) {
                return Path.of(value);
            }
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("%s: %s".formatted(key, e.getMessage()), e);
        }
        throw new IllegalArgumentException(key + ": it is empty");
    }
}
