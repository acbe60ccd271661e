package io.fairlead.cli;

import io.fairlead.cli.output.OperationProgress;
import io.fairlead.cli.output.Table;
import io.fairlead.daemon.client.ApiClient;
import java.io.Console;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** Which daemon a command speaks to, and how it prints what that says. */
final class DaemonMixin {
    @Mixin
    private final DaemonAddress at = new DaemonAddress();

    @Option(names = "--json", description = "Print JSON as the daemon's API has it.")
    private boolean json;

    ApiClient open() throws IOException {
        return at.open();
    }

    /** Where the daemon is looked for. */
    String address() {
        return at.address();
    }

    boolean json() {
        return json;
    }

    /** Whether the daemon is on this host, so that paths that it names are ours, too. */
    boolean isLocal() {
        return at.isLocal();
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
