package io.fairlead.cli;

import io.fairlead.kernel.management.DeviceAttributes;
import io.fairlead.kernel.management.DeviceInfo;
import io.fairlead.kernel.management.DevicePermissions;
import io.fairlead.kernel.management.ManagementDeviceName;
import io.fairlead.kernel.management.StableNames;
import io.fairlead.kernel.management.VdpaBus;
import io.fairlead.kernel.management.VdpaFamily;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The commands of {@code fairlead dev} that list, make and delete vDPA devices of this host's kernel, and bind them. */
final class KernelDeviceCommands {
    private static final String DEVICE =
            "Its name, or its stable name, such as net-52:54:00:12:34:56 (fairlead dev show).";

    private KernelDeviceCommands() {}

    @Command(
            name = "show",
            aliases = "list",
            description = {
                "Show the devices of a daemon, where one is meant (--connect, $FAIRLEAD_CONNECT, or one at the usual"
                        + " place), and else the vDPA devices of this host's kernel; or one of them, wherever it is."
            },
            mixinStandardHelpOptions = true,
            footerHeading = "%nExamples:%n",
            footer = {
                "  fairlead dev show",
                "  fairlead dev show blk0 --json",
                "  fairlead dev show --control alpha.ctl",
                "  fairlead dev show --kernel",
                "",
                "JSON of the kernel's is that of iproute2's 'vdpa -j dev show', of a daemon's that of its API."
            })
    static final class Show implements Callable<Integer> {
        @Mixin
        private final DaemonAddress daemon = new DaemonAddress();

        @Option(names = "--kernel", description = "The kernel's, also where there is a daemon.")
        private boolean kernel;

        @Parameters(arity = "0..1", paramLabel = "NAME", description = DEVICE)
        private @Nullable String name;

        @Option(names = "--json", description = "Print JSON.")
        private boolean json;

        @Option(names = "--control", paramLabel = "SOCKET", description = NodeObjects.CONTROL)
        private @Nullable Path control;

        @Override
        public Integer call() throws IOException {
            if (control != null) {
                NodeObjects.print(control, "devices", "dev", name, json);
                return 0;
            }
            JsonNode own = kernel ? null : name == null ? DaemonDevices.all(daemon) : DaemonDevices.find(daemon, name);
            if (own != null && name != null) {
                DaemonDevices.print(own, json);
                return 0;
            }
            if (own != null) {
                if (json) {
                    System.out.println(JsonMapper.shared().createObjectNode().set("devices", own));
                } else {
                    System.out.print(DaemonDevices.table(own));
                }
                return 0;
            }
            try (VdpaFamily family = VdpaFamily.open()) {
                List<DeviceInfo> devices =
                        name == null ? family.devices() : List.of(family.device(StableNames.resolve(family, name)));
                KernelObjects.printDevices(json, family, devices);
                return 0;
            }
        }
    }

    @Command(
            name = "add",
            description = "Make a device of a daemon (type), or of this host's kernel (mgmtdev).",
            mixinStandardHelpOptions = true,
            customSynopsis = {
                "fairlead dev add name NAME type TYPE [KEY=VALUE ...] [--connect ADDRESS] [--json]",
                "fairlead dev add name NAME mgmtdev MGMTDEV [mac ADDRESS] [mtu BYTES]",
                "                 [max_vqp PAIRS] [device_features HEX] [--permissions FILE]",
                "                 [--json]"
            },
            footerHeading = "%nExamples:%n",
            footer = {
                "  fairlead dev add name disk0 type blk path=/var/lib/images/disk0.img queues=2",
                "  fairlead dev add name net0 mgmtdev vdpasim_net mac 52:54:00:12:34:56 mtu 1500",
                "  fairlead dev add name blk0 mgmtdev pci/0000:00:05.0",
                "  fairlead dev add name blk1 mgmtdev vdpasim_blk device_features 0x300000200",
                "",
                "For VDUSE, NAME is that of the device that a program serves already."
            })
    static final class Add implements Callable<Integer> {
        @Parameters(
                arity = "1..*",
                paramLabel = "WORD VALUE",
                description =
                        "What it shall be like, in pairs; of a daemon's device also KEY=VALUE, as serve has them.")
        private List<String> words = List.of();

        @Mixin
        private final DaemonAddress daemon = new DaemonAddress();

        @Mixin
        private final PermissionsMixin permissions = new PermissionsMixin();

        @Option(names = "--json", description = "Print JSON.")
        private boolean json;

        @Override
        public Integer call() throws IOException {
            if (words.contains("type")) {
                List<String> attributes =
                        words.stream().filter(word -> word.indexOf('=') > 0).toList();
                Map<String, String> own = WordPairs.parse(
                        words.stream().filter(word -> word.indexOf('=') <= 0).toList(), List.of("name", "type"));
                String type = WordPairs.take(own, "type");
                DaemonDevices.add(daemon, WordPairs.take(own, "name"), type, WordPairs.attributes(attributes), json);
                return 0;
            }
            Map<String, String> pairs =
                    WordPairs.parse(words, List.of("name", "mgmtdev", "mac", "mtu", "max_vqp", "device_features"));
            String name = WordPairs.take(pairs, "name");
            ManagementDeviceName managementDevice = ManagementDeviceName.parse(WordPairs.take(pairs, "mgmtdev"));
            DeviceAttributes attributes = DeviceAttributes.parse(pairs);
            DevicePermissions rules = permissions.read();
            try (VdpaFamily family = VdpaFamily.open()) {
                family.add(name, managementDevice, attributes);
                KernelObjects.settle(name + " was added", family, rules);
                KernelObjects.printDevices(json, family, List.of(family.device(name)));
                return 0;
            }
        }
    }

    @Command(
            name = "del",
            description = "Delete a device of a daemon, or a vDPA device of this host's kernel, that nobody uses.",
            mixinStandardHelpOptions = true)
    static final class Delete implements Callable<Integer> {
        @Parameters(paramLabel = "NAME", description = DEVICE)
        private String name = "";

        @Mixin
        private final PermissionsMixin permissions = new PermissionsMixin();

        @Mixin
        private final DaemonAddress daemon = new DaemonAddress();

        @Override
        public Integer call() throws IOException {
            if (DaemonDevices.find(daemon, name) != null) {
                DaemonDevices.remove(daemon, name);
                return 0;
            }
            VdpaBus bus = VdpaBus.ofHost();
            DevicePermissions rules = permissions.read();
            try (VdpaFamily family = VdpaFamily.open()) {
                String device = StableNames.resolve(family, name);
                if (bus.devices().contains(device)) {
                    bus.requireUnused(device, "delete it");
                }
                family.delete(device);
                KernelObjects.settle(device + " was deleted", family, rules);
                return 0;
            }
        }
    }

    @Command(
            name = "bind",
            description = "Give a vDPA device of this host's kernel to a bus driver, and keep others from taking it.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExamples:%n",
            footer = {
                "  fairlead dev bind blk0                  # /dev/vhost-vdpa-N, for machines",
                "  fairlead dev bind blk0 virtio_vdpa      # /dev/vdX, for the host itself"
            })
    static final class Bind implements Callable<Integer> {
        @Parameters(index = "0", paramLabel = "NAME", description = DEVICE)
        private String name = "";

        @Parameters(
                index = "1",
                arity = "0..1",
                paramLabel = "DRIVER",
                defaultValue = VdpaBus.VHOST_VDPA,
                description = "vhost_vdpa (default) or virtio_vdpa.")
        private String driver = VdpaBus.VHOST_VDPA;

        @Mixin
        private final PermissionsMixin permissions = new PermissionsMixin();

        @Option(names = "--json", description = "Print JSON.")
        private boolean json;

        @Override
        public Integer call() throws IOException {
            DevicePermissions rules = permissions.read();
            try (VdpaFamily family = VdpaFamily.open()) {
                String device = StableNames.resolve(family, name);
                VdpaBus.ofHost().bind(device, driver);
                KernelObjects.settle("%s is bound to %s".formatted(device, driver), family, rules);
                KernelObjects.printDevices(json, family, List.of(family.device(device)));
                return 0;
            }
        }
    }

    @Command(
            name = "unbind",
            description = "Take a vDPA device of this host's kernel from its bus driver.",
            mixinStandardHelpOptions = true)
    static final class Unbind implements Callable<Integer> {
        @Parameters(paramLabel = "NAME", description = DEVICE)
        private String name = "";

        @Mixin
        private final PermissionsMixin permissions = new PermissionsMixin();

        @Override
        public Integer call() throws IOException {
            DevicePermissions rules = permissions.read();
            try (VdpaFamily family = VdpaFamily.open()) {
                String device = StableNames.resolve(family, name);
                VdpaBus.ofHost().unbind(device);
                KernelObjects.settle(device + " is unbound", family, rules);
                return 0;
            }
        }
    }
}
