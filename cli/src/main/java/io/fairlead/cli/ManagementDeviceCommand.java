package io.fairlead.cli;

import io.fairlead.kernel.management.ManagementDeviceInfo;
import io.fairlead.kernel.management.ManagementDeviceName;
import io.fairlead.kernel.management.PciFunction;
import io.fairlead.kernel.management.VdpaDocument;
import io.fairlead.kernel.management.VdpaFamily;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code fairlead mgmtdev}: what makes vDPA devices in this host's kernel. */
@Command(
        name = "mgmtdev",
        description = "What makes vDPA devices in this host's kernel: show, bind, unbind.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND")
final class ManagementDeviceCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: show, bind or unbind");
    }

    @Command(
            name = "show",
            aliases = "list",
            description = {
                "Show a daemon's management devices, where one is meant (--connect, $FAIRLEAD_CONNECT, or one at the usual"
                        + " place), the kernel's among them, and else the kernel's; or one of them.",
                "Of a node: --control."
            },
            mixinStandardHelpOptions = true,
            footerHeading = "%nExamples:%n",
            footer = {
                "  fairlead mgmtdev show",
                "  fairlead mgmtdev show pci/0000:00:05.0 --json",
                "  fairlead mgmtdev show --control alpha.ctl",
                "",
                "JSON is that of iproute2's 'vdpa -j mgmtdev show'."
            })
    void show(
            @Parameters(arity = "0..1", paramLabel = "MGMTDEV", description = "Only this one.") @Nullable String name,
            @Option(names = "--json", description = "Print JSON.") boolean json,
            @Mixin DaemonAddress daemon,
            @Option(names = "--kernel", description = "The kernel's, also where there is a daemon.") boolean kernel,
            @Option(names = "--control", paramLabel = "SOCKET", description = NodeObjects.CONTROL) @Nullable
                    Path control)
            throws IOException {
        if (control != null) {
            NodeObjects.print(control, "mgmtdevs", "mgmtdev", name, json);
            return;
        }
        if (!kernel && daemon.isMeant()) {
            DaemonDevices.showManagementDevices(daemon, name, json);
            return;
        }
        ManagementDeviceName wanted = name == null ? null : ManagementDeviceName.parse(name);
        try (VdpaFamily family = VdpaFamily.open()) {
            List<ManagementDeviceInfo> found =
                    wanted == null ? family.managementDevices() : List.of(family.managementDevice(wanted));
            KernelObjects.print(
                    json, "mgmtdev", found, info -> info.name().toString(), VdpaDocument::of, VdpaDocument::text);
        }
    }

    @Command(
            name = "bind",
            description = "Give a PCI function to a driver that makes a management device of it.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = {
                "  modprobe vp_vdpa",
                "  fairlead mgmtdev bind 0000:00:05.0",
                "  fairlead dev add name blk0 mgmtdev pci/0000:00:05.0"
            })
    void bind(
            @Parameters(paramLabel = "ADDRESS", description = "The function, such as 0000:00:05.0.") String address,
            @Option(
                            names = "--driver",
                            paramLabel = "DRIVER",
                            defaultValue = PciFunction.VP_VDPA,
                            description = "Default: ${DEFAULT-VALUE}, which takes any modern virtio function.")
                    String driver,
            @Option(names = "--without-iommu", description = "Also where there is no IOMMU, for the host's own use.")
                    boolean withoutIommu)
            throws IOException {
        PciFunction function = PciFunction.ofHost(address);
        function.bind(driver, withoutIommu);
        System.out.printf("%s: driver %s%n", function.address(), driver);
    }

    @Command(
            name = "unbind",
            description = "Give a PCI function back to its vendor's driver.",
            mixinStandardHelpOptions = true)
    void unbind(@Parameters(paramLabel = "ADDRESS", description = "The function, such as 0000:00:05.0.") String address)
            throws IOException {
        PciFunction function = PciFunction.ofHost(address);
        System.out.printf("%s: driver %s%n", function.address(), function.release());
    }
}
