package io.fairlead.daemon.config;

import io.fairlead.node.HostPort;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a daemon runs. Paths are absolute.
 *
 * @param name of the host
 * @param socketGroup whose members may use the socket; null for none
 * @param listen for other hosts; null where machines stay
 * @param apiListen null where requests are taken at the socket alone
 * @param certificates null only where there is neither listen nor apiListen
 * @param threads that serve queues, at least 1
 */
public record Configuration(
        String name,
        Path stateFolder,
        Path runFolder,
        Path socket,
        @Nullable String socketGroup,
        @Nullable HostPort listen,
        @Nullable HostPort apiListen,
        @Nullable Path certificates,
        Path qemu,
        int threads) {
    private static final int MAX_THREADS = 256;

    /** The longest path of a Unix socket is 107 bytes; the longest name of ours in the run-folder takes these. */
    private static final int SOCKET_NAME_BYTES = 54;

    private static final int SOCKET_PATH_BYTES = 107;

    /**
     * Checks values and completes them by the defaults.
     *
     * @throws ConfigurationException with the key that is wrong
     */
    public static Configuration of(Map<Key, String> values) throws ConfigurationException, IOException {
        Map<Key, String> all = new EnumMap<>(Key.class);
        for (Key key : Key.values()) {
            all.put(key, values.getOrDefault(key, key.defaultValue()));
        }
        String name = text(all, Key.NAME) == null ? InetAddress.getLocalHost().getHostName() : all.get(Key.NAME);
        Path state = folder(all, Key.STATE_FOLDER, null);
        Path run = folder(all, Key.RUN_FOLDER, state.resolve("run"));
        if (run.toString().length() > SOCKET_PATH_BYTES - SOCKET_NAME_BYTES) {
            throw new ConfigurationException("run-folder: %s is too long for Unix sockets: at most %d characters"
                    .formatted(run, SOCKET_PATH_BYTES - SOCKET_NAME_BYTES));
        }
        HostPort listen = address(all, Key.LISTEN);
        if (listen != null && listen.port() == 0) {
            throw new ConfigurationException(
                    "listen: port 0 is another one after each start, and hosts that wait for an"
                            + " answer do not find it again: name one");
        }
        HostPort apiListen = address(all, Key.API_LISTEN);
        String certificates = text(all, Key.CERTIFICATES);
        if (certificates == null && (listen != null || apiListen != null)) {
            throw new ConfigurationException("certificates: %s needs them; 'fairlead certificates create' makes some"
                    .formatted((listen != null ? Key.LISTEN : Key.API_LISTEN).word()));
        }
        Path folder = certificates == null ? null : Path.of(certificates).toAbsolutePath();
        if (folder != null && !Files.isDirectory(folder)) {
            throw new ConfigurationException("certificates: there is no folder " + folder);
        }
        Path qemu = folder(all, Key.QEMU, null);
        if (!Files.isExecutable(qemu)) {
            throw new ConfigurationException(
                    "qemu: %s is not there or no program; install QEMU (Debian:".formatted(qemu)
                            + " qemu-system-x86) or say where it is");
        }
        return new Configuration(
                name == null ? "" : name,
                state,
                run,
                folder(all, Key.SOCKET, run.resolve("fairlead.sock")),
                text(all, Key.SOCKET_GROUP),
                listen,
                apiListen,
                folder,
                qemu,
                threads(all));
    }

    private static @Nullable String text(Map<Key, String> all, Key key) {
        String value = all.getOrDefault(key, "");
        return value.isEmpty() ? null : value;
    }

    private static Path folder(Map<Key, String> all, Key key, @Nullable Path otherwise) throws ConfigurationException {
        String value = text(all, key);
        if (value == null) {
            if (otherwise == null) {
                throw new ConfigurationException(key.word() + ": a path is needed");
            }
            return otherwise;
        }
        if (value.indexOf('\0') >= 0) {
            throw new ConfigurationException(key.word() + ": this is no path");
        }
        return Path.of(value).toAbsolutePath().normalize();
    }

    private static @Nullable HostPort address(Map<Key, String> all, Key key) throws ConfigurationException {
        String value = text(all, key);
        if (value == null) {
            return null;
        }
        try {
            return HostPort.parse(value);
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException("%s: %s".formatted(key.word(), e.getMessage()));
        }
    }

    private static int threads(Map<Key, String> all) throws ConfigurationException {
        String value = all.getOrDefault(Key.THREADS, "");
        int threads = value.matches("[0-9]{1,3}") ? Integer.parseInt(value) : -1;
        if (threads < 0 || threads > MAX_THREADS) {
            throw new ConfigurationException("threads: '%s' is no number from 0 to %d".formatted(value, MAX_THREADS));
        }
        return threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
    }
}
