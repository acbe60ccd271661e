package io.fairlead.cli;

import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which daemon a command speaks to. */
final class DaemonAddress {
    /** How a client comes to a daemon. */
    interface Connector {
        ApiClient connect(String address, @Nullable Path certificates) throws IOException;
    }

    private static Connector connector = ApiClient::connect;

    @Option(
            names = {"-c", "--connect"},
            paramLabel = "ADDRESS",
            defaultValue = "${env:FAIRLEAD_CONNECT:-" + ApiClient.DEFAULT_ADDRESS + "}",
            description = "The daemon's socket, or https://HOST:PORT. Default: $FAIRLEAD_CONNECT, else "
                    + ApiClient.DEFAULT_ADDRESS + ".")
    private String address = ApiClient.DEFAULT_ADDRESS;

    @Option(
            names = "--certificates",
            paramLabel = "FOLDER",
            defaultValue = "${env:FAIRLEAD_CERTIFICATES:-" + Option.NULL_VALUE + "}",
            description = "This host's certificates, for https. Default: $FAIRLEAD_CERTIFICATES.")
    private @Nullable Path certificates;

    /** Lets tests put a client of their own in the daemon's place; returns what was there. */
    static Connector connectBy(Connector other) {
        Connector before = connector;
        connector = other;
        return before;
    }

    String address() {
        return address;
    }

    ApiClient open() throws IOException {
        return connector.connect(address, certificates);
    }

    /** Whether a daemon is meant: it was said which, or there is one at the usual place. */
    boolean isMeant() {
        return !address.equals(ApiClient.DEFAULT_ADDRESS) || Files.exists(Path.of(address));
    }

    /** Whether the daemon is on this host, so that paths that it names are ours, too. */
    boolean isLocal() {
        return !address.startsWith("https:");
    }
}
