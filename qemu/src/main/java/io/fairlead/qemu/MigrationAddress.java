package io.fairlead.qemu;

import java.io.IOException;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;

/**
 * Where a migration's stream goes.
 *
 * @param uri as QMP's {@code migrate} and {@code migrate-incoming} take it
 */
public record MigrationAddress(String uri) {
    /**
     * A host's TCP port.
     *
     * @param host a name or an address; an IPv6 address without brackets
     * @param port 0 where a QEMU that listens shall choose
     */
    public static MigrationAddress tcp(String host, int port) {
        if (port < 0 || port > 0xffff || host.isEmpty() || !host.matches("[A-Za-z0-9.:_%-]+")) {
            throw new IllegalArgumentException("not a host and a TCP port: " + host + " " + port);
        }
        return new MigrationAddress("tcp:" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port);
    }

    /** A Unix socket, for two QEMUs of one host. */
    public static MigrationAddress unix(Path socket) throws IOException {
        UnixPaths.check(socket);
        return new MigrationAddress("unix:" + socket);
    }

    /** One entry of {@code socket-address} in what query-migrate answers. */
    static MigrationAddress of(JsonNode socketAddress) throws IOException {
        String type = socketAddress.path("type").asString("");
        try {
            return switch (type) {
                case "inet" ->
                    tcp(
                            socketAddress.path("host").asString(""),
                            Integer.parseInt(socketAddress.path("port").asString("")));
                case "unix" -> unix(Path.of(socketAddress.path("path").asString("")));
                default -> throw new IOException("QEMU listens for its migration on a socket of type " + type);
            };
        } catch (IllegalArgumentException e) {
            throw new IOException("QEMU listens for its migration on " + socketAddress + ", which is no address", e);
        }
    }

    @Override
    public String toString() {
        return uri;
    }
}
