package io.fairlead.cli;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.node.DeviceOption;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead vm}: machines of a daemon, and devices of a node's running machines. */
@Command(
        name = "vm",
        description = {
            "Define, start, watch, change, move and stop machines of a daemon, by virsh's verbs.",
            "Of a node (--control): attach, detach."
        },
        mixinStandardHelpOptions = true,
        subcommands = {
            MachineQueries.ListMachines.class,
            MachineQueries.Define.class,
            MachineQueries.Undefine.class,
            MachineOperations.Start.class,
            MachineOperations.Shutdown.class,
            MachineOperations.Reboot.class,
            MachineOperations.Reset.class,
            MachineOperations.Destroy.class,
            MachineOperations.Suspend.class,
            MachineOperations.Resume.class,
            MachineOperations.Migrate.class,
            MachineOperations.AttachDevice.class,
            MachineOperations.DetachDevice.class,
            MachineQueries.Autostart.class,
            MachineQueries.DomState.class,
            MachineQueries.DomInfo.class,
            MachineQueries.DumpXml.class,
            MachineQueries.DomStats.class,
            MachineQueries.Screenshot.class,
            MachineQueries.Console.class
        },
        synopsisSubcommandLabel = "COMMAND")
final class MachineCommand implements Runnable {
    private static final String GUEST_TIMEOUT = "How long the guest may take, in seconds. Default: ${DEFAULT-VALUE}.";

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    private final JsonMapper mapper = new JsonMapper();

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing, such as list");
    }

    @Command(
            name = "attach",
            description = "Plug a device into a running machine, and wait until the guest's driver has taken it.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  fairlead vm attach vm0 --control alpha.ctl --device"
                    + " name=disk1,type=blk,socket=disk1.sock,path=more.img")
    int attach(
            @Parameters(paramLabel = "MACHINE", description = "Its name at the node.") String machine,
            @Option(names = "--control", required = true, paramLabel = "SOCKET", description = "The node's.")
                    Path control,
            @Option(
                            names = "--device",
                            required = true,
                            paramLabel = "KEY=VALUE,...",
                            description = {
                                "The device, as of 'fairlead node'; paths are the node's.",
                                SoftwareManagement.HELP
                            })
                    String device,
            @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "30", description = GUEST_TIMEOUT)
                    int timeoutSeconds,
            @Option(names = "--json", description = "Print JSON.") boolean json)
            throws IOException {
        DeviceOption option = DeviceOption.parse(device);
        ObjectNode command = command("attach", machine, timeoutSeconds);
        var _ = option.into(command.putObject("device"));
        return NodeRequest.execute(control, command, json, "%s has %s".formatted(machine, option.name()));
    }

    @Command(
            name = "detach",
            description = "Take a device out of a running machine when the guest has let go of it.",
            mixinStandardHelpOptions = true)
    int detach(
            @Parameters(paramLabel = "MACHINE", description = "Its name at the node.") String machine,
            @Parameters(paramLabel = "DEVICE", description = "The device's name.") String device,
            @Option(names = "--control", required = true, paramLabel = "SOCKET", description = "The node's.")
                    Path control,
            @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "30", description = GUEST_TIMEOUT)
                    int timeoutSeconds,
            @Option(names = "--json", description = "Print JSON.") boolean json)
            throws IOException {
        ObjectNode command = command("detach", machine, timeoutSeconds);
        command.put("device", device);
        return NodeRequest.execute(control, command, json, "%s has no %s any more".formatted(machine, device));
    }

    private ObjectNode command(String name, String machine, int timeoutSeconds) {
        return mapper.createObjectNode()
                .put("command", name)
                .put("machine", machine)
                .put("guestTimeoutSeconds", timeoutSeconds);
    }
}
