package io.fairlead.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead dev}: changes devices that machines use. */
@Command(
        name = "dev",
        description = "Change devices that machines use: set.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND")
final class DeviceCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: set");
    }

    @Command(
            name = "set",
            description = "Change a device of a node while the guest uses it; the guest is told.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = {
                "  fairlead dev set disk0 size=2G --control alpha.ctl",
                "",
                "Of a disk: size= in bytes, or with K, M, G or T; size=storage for what its storage has by now.",
                "Of a network device: link=up or down, rate-mbps= in Mbit/s, 0 for no limit."
            })
    int set(
            @Parameters(index = "0", paramLabel = "DEVICE", description = "The device's name.") String device,
            @Parameters(index = "1..*", arity = "1..*", paramLabel = "KEY=VALUE", description = "What shall be how.")
                    List<String> changes,
            @Option(names = "--control", required = true, paramLabel = "SOCKET", description = "The node's.")
                    Path control,
            @Option(names = "--force", description = "Also where it can cost data, as a smaller disk does.")
                    boolean force,
            @Option(names = "--json", description = "Print JSON.") boolean json)
            throws IOException {
        ObjectNode command = new JsonMapper().createObjectNode();
        command.put("command", "set").put("device", device).put("force", force);
        ObjectNode attributes = command.putObject("attributes");
        for (String change : changes) {
            int equals = change.indexOf('=');
            if (equals <= 0) {
                throw new IllegalArgumentException("'%s' is not key=value".formatted(change));
            }
            attributes.put(change.substring(0, equals), change.substring(equals + 1));
        }
        return NodeRequest.execute(control, command, json, "%s: %s".formatted(device, String.join(" ", changes)));
    }
}
