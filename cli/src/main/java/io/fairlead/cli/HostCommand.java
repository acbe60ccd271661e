package io.fairlead.cli;

import io.fairlead.cli.output.Table;
import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** {@code fairlead host}: what a daemon says of its host. */
@Command(
        name = "host",
        description = "The host that a daemon serves: show.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND")
final class HostCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: show");
    }

    @Command(
            name = "show",
            description = "Show the host, its daemon and how much it has.",
            mixinStandardHelpOptions = true)
    void show(@Mixin DaemonMixin daemon) throws IOException {
        try (ApiClient client = daemon.open()) {
            JsonNode host = client.get("/v1/host");
            daemon.print(host, """
                            name      %s
                            version   %s
                            QEMU      %s
                            listens   %s
                            process   %s, since %s s
                            devices   %s
                            machines  %s, of which %s run""".formatted(
                            text(host.path("name")),
                            text(host.path("version")),
                            text(host.path("qemu").path("version")),
                            text(host.path("listen")),
                            text(host.path("pid")),
                            text(host.path("uptimeSeconds")),
                            text(host.path("devices")),
                            text(host.path("machines")),
                            text(host.path("runningMachines"))));
        }
    }

    private static String text(JsonNode value) {
        return value.isNull() || value.isMissingNode() ? "-" : Table.printable(value.asString());
    }
}
