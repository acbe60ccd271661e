package io.fairlead.cli;

import io.fairlead.kernel.management.DevicePermissions;
import io.fairlead.kernel.management.StableNames;
import io.fairlead.kernel.management.VdpaFamily;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead dev}: vDPA devices of this host's kernel, and changes of devices that machines use. */
@Command(
        name = "dev",
        description = {
            "Devices of a daemon: show, add, del, stats, set.",
            "vDPA devices of this host's kernel: these, and config, vstats, bind, unbind.",
            "Devices of a node that a machine uses: set --control."
        },
        mixinStandardHelpOptions = true,
        subcommands = {
            KernelDeviceCommands.Show.class,
            KernelDeviceCommands.Add.class,
            KernelDeviceCommands.Delete.class,
            KernelDeviceDetails.Config.class,
            KernelDeviceDetails.VendorStats.class,
            KernelDeviceDetails.Statistics.class,
            KernelDeviceCommands.Bind.class,
            KernelDeviceCommands.Unbind.class
        },
        synopsisSubcommandLabel = "COMMAND")
final class DeviceCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing, such as show");
    }

    @Command(
            name = "set",
            description = {
                "Change a device of a daemon, or of a node (--control), while the guest uses it; the guest is told.",
                "Of neither: a network card of this host's kernel that no driver uses, its mac=."
            },
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = {
                "  fairlead dev set disk0 size=2G",
                "  fairlead dev set disk0 size=2G --control alpha.ctl",
                "  fairlead dev set net0 mac=52:54:00:12:34:56",
                "",
                "Of a disk: size= in bytes, or with K, M, G or T; size=storage for what its storage has by now.",
                "Of a network device: link=up or down, rate-mbps= in Mbit/s, 0 for no limit."
            })
    int set(
            @Parameters(index = "0", paramLabel = "DEVICE", description = "The device's name.") String device,
            @Parameters(index = "1..*", arity = "1..*", paramLabel = "KEY=VALUE", description = "What shall be how.")
                    List<String> changes,
            @Mixin DaemonAddress daemon,
            @Option(names = "--control", paramLabel = "SOCKET", description = "The node's.") @Nullable Path control,
            @Option(names = "--force", description = "Also where it can cost data, as a smaller disk does.")
                    boolean force,
            @Option(names = "--json", description = "Print JSON.") boolean json)
            throws IOException {
        Map<String, String> attributes = WordPairs.attributes(changes);
        if (control == null && DaemonDevices.find(daemon, device) != null) {
            DaemonDevices.change(daemon, device, attributes, force, json);
            return 0;
        }
        if (control == null) {
            return setKernelDevice(device, attributes);
        }
        ObjectNode command = new JsonMapper().createObjectNode();
        command.put("command", "set").put("device", device).put("force", force);
        ObjectNode values = command.putObject("attributes");
        attributes.forEach(values::put);
        return NodeRequest.execute(control, command, json, "%s: %s".formatted(device, String.join(" ", changes)));
    }

    private static int setKernelDevice(String device, Map<String, String> attributes) throws IOException {
        String mac = attributes.get("mac");
        if (mac == null || attributes.size() > 1) {
            throw new IllegalArgumentException("of a device of this host's kernel only mac= can be set; for a device of"
                    + " a node, name the node's socket by --control");
        }
        try (VdpaFamily family = VdpaFamily.open()) {
            DevicePermissions rules = DevicePermissions.read(DevicePermissions.DEFAULT_FILE);
            String name = StableNames.resolve(family, device);
            family.setMac(name, mac);
            // A card's stable name has its address.
            KernelObjects.settle(name + " has its address", family, rules);
            return 0;
        }
    }
}
