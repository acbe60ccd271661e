package io.fairlead.devices.vsock;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.vdpa.AttributeValue;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a socket device shall be.
 *
 * @param cid the guest's context id, 3 to 0xfffffffe
 * @param path a Unix socket, made with mode 0600, where programs of the host reach the guest; with {@code _PORT} behind it
 *     the sockets of the host that the guest reaches
 * @param connections most connections at a time, each with at most {@link Connection#BUFFER_BYTES} of memory
 */
record VsockSettings(long cid, Path path, int connections, RingSettings rings) {
    static final String CID = "cid";
    static final String ATTRIBUTES = "cid, path, connections, " + RingSettings.ATTRIBUTES;

    private static final int DEFAULT_CONNECTIONS = 256;
    private static final int MAX_CONNECTIONS = 4096;
    private static final long FIRST_CID = 3;
    private static final long LAST_CID = 0xffff_fffeL;

    /** A socket's path has 107 bytes (unix(7)), of which the longest port takes these. */
    private static final int MAX_PATH_BYTES = 107 - "_4294967295".length();

    /** @throws IllegalArgumentException where an attribute is unknown, missing or wrong */
    static VsockSettings of(Map<String, String> attributes) {
        long cid = 0;
        Path path = null;
        int connections = DEFAULT_CONNECTIONS;
        RingSettings rings = RingSettings.standard();
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            String key = attribute.getKey();
            String value = attribute.getValue();
            switch (key) {
                case CID -> cid = cid(value);
                case "path" -> path = path(value);
                case "connections" -> connections = connections(value);
                default -> {
                    if (!RingSettings.has(key)) {
                        throw new IllegalArgumentException(
                                "%s: a socket device has no such attribute; it has: %s".formatted(key, ATTRIBUTES));
                    }
                    rings = rings.with(key, value);
                }
            }
        }
        return new VsockSettings(
                required(cid == 0 ? null : cid, "cid: a socket device needs one, such as cid=3"),
                required(path, "path: a socket device needs one, such as path=/run/vm0.vsock"),
                connections,
                rings);
    }

    private static <T> T required(@Nullable T value, String message) {
        if (value == null) {
            throw new IllegalArgumentException(message);
        }
        return value;
    }

    private static long cid(String value) {
        long cid = AttributeValue.bits(CID, value);
        if (cid < FIRST_CID || cid > LAST_CID) {
            throw new IllegalArgumentException(
                    "cid: %s is not in %d..%d; 0 to 2 and 4294967295 are reserved, 2 is the host"
                            .formatted(value, FIRST_CID, LAST_CID));
        }
        return cid;
    }

    private static int connections(String value) {
        int connections = AttributeValue.number("connections", value);
        if (connections < 1 || connections > MAX_CONNECTIONS) {
            throw new IllegalArgumentException(
                    "connections: %d is not in 1..%d".formatted(connections, MAX_CONNECTIONS));
        }
        return connections;
    }

    private static Path path(String value) {
        int bytes = value.getBytes(StandardCharsets.UTF_8).length;
        if (bytes == 0 || bytes > MAX_PATH_BYTES) {
            throw new IllegalArgumentException(
                    "path: %d bytes are not in 1..%d, so that a socket's path with _PORT behind it fits; choose another"
                            .formatted(bytes, MAX_PATH_BYTES));
        }
        try {
            return Path.of(value);
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("path: " + e.getMessage(), e);
        }
    }
}
