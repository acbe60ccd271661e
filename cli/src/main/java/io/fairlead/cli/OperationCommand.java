package io.fairlead.cli;

import io.fairlead.cli.output.Table;
import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** {@code fairlead operation}: what a daemon is doing or has done, as starts and migrations. */
@Command(
        name = "operation",
        description = "What a daemon does that takes time, and has done: list, show, cancel.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND")
final class OperationCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: list, show or cancel");
    }

    @Command(name = "list", description = "List operations, the newest first.", mixinStandardHelpOptions = true)
    void list(@Mixin DaemonMixin daemon) throws IOException {
        try (ApiClient client = daemon.open()) {
            JsonNode answer = client.get("/v1/operations");
            Table table = new Table("ID", "KIND", "OBJECT", "STATE", "PHASE", "STARTED");
            for (JsonNode operation : answer.path("operations")) {
                table.row(
                        operation.path("id").asString(""),
                        operation.path("kind").asString(""),
                        operation.path("object").asString(""),
                        operation.path("state").asString(""),
                        operation.path("phase").asString(""),
                        operation.path("startedAt").asString(""));
            }
            daemon.print(answer, table);
        }
    }

    @Command(
            name = "show",
            description = "Show an operation until it has ended.",
            mixinStandardHelpOptions = true,
            exitCodeListHeading = ExitCodes.HEADING,
            exitCodeList = {"0:it was done", ExitCodes.FAILED + ":it failed or was cancelled"})
    int show(@Mixin DaemonMixin daemon, @Parameters(paramLabel = "ID", description = "The operation's.") String id)
            throws IOException {
        try (ApiClient client = daemon.open()) {
            JsonNode operation = client.get(DaemonMixin.path("/v1/operations/%s", id));
            return daemon.follow(client, operation, "done");
        }
    }

    @Command(
            name = "cancel",
            description = "Ask for an operation to be taken back; 'show' tells what came of it.",
            mixinStandardHelpOptions = true)
    void cancel(@Mixin DaemonMixin daemon, @Parameters(paramLabel = "ID", description = "The operation's.") String id)
            throws IOException {
        try (ApiClient client = daemon.open()) {
            daemon.print(client.delete(DaemonMixin.path("/v1/operations/%s", id)), "asked for");
        }
    }
}
