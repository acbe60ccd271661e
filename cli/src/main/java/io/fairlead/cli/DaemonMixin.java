package io.fairlead.cli;

import io.fairlead.cli.output.OperationProgress;
import io.fairlead.cli.output.Table;
import io.fairlead.daemon.client.ApiClient;
import java.io.Console;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** Which daemon a command speaks to, and how it prints what that says. */
final class DaemonMixin {
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

    @Option(names = "--json", description = "Print JSON as the daemon's API has it.")
    private boolean json;

    /** Lets tests put a client of their own in the daemon's place; returns what was there. */
    static Connector connectBy(Connector other) {
        Connector before = connector;
        connector = other;
        return before;
    }

    ApiClient open() throws IOException {
        return connector.connect(address, certificates);
    }

    boolean json() {
        return json;
    }

    /** Whether the daemon is on this host, so that paths that it names are ours, too. */
    boolean isLocal() {
        return !address.startsWith("https:");
    }

    /** A path of the API with names in it, each encoded as one segment. */
    static String path(String template, String... names) {
        Object[] encoded = new Object[names.length];
        for (int i = 0; i < names.length; i++) {
            encoded[i] = URLEncoder.encode(names[i], StandardCharsets.UTF_8).replace("+", "%20");
        }
        return template.formatted(encoded);
    }

    /** Prints an answer as JSON, or what people see in its place. */
    void print(JsonNode answer, String text) {
        if (json) {
            System.out.println(answer);
        } else if (!text.isEmpty()) {
            System.out.println(text);
        }
        System.out.flush();
    }

    void print(JsonNode answer, Table table) {
        if (json) {
            System.out.println(answer);
        } else {
            System.out.print(table.text(Ansi.AUTO.enabled()));
        }
        System.out.flush();
    }

    /**
     * Waits for an operation that the daemon has begun, and shows how it goes on.
     *
     * @param started the daemon's answer
     * @param success what to say to people when it is done
     * @return the exit code
     */
    int follow(ApiClient client, JsonNode started, String success) throws IOException {
        OperationProgress progress = new OperationProgress(System.err, !json && isTerminal());
        JsonNode ended = client.awaitOperation(started.path("id").asString(""), operation -> {
            if (!json) {
                progress.show(operation);
            }
        });
        progress.end();
        boolean isDone = ended.path("state").asString("").equals("done");
        if (json) {
            System.out.println(ended);
        } else if (isDone) {
            System.out.println(success);
        } else {
            System.err.println("fairlead: "
                    + Table.printable(ended.path("error").path("message").asString("it was cancelled")));
        }
        System.out.flush();
        return isDone ? 0 : ExitCodes.FAILED;
    }

    @SuppressWarnings("SystemConsoleNull") // its annotation says that it may be null
    static boolean isTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }
}
