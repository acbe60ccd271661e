package io.fairlead.cli;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.node.DeviceOption;
import io.fairlead.node.HostPort;
import io.fairlead.node.MachineOption;
import io.fairlead.node.Node;
import io.fairlead.node.NodeDevice;
import io.fairlead.node.NodeOptions;
import io.fairlead.node.SourceProfiles;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead node}: serves devices and moves machines, until a signal ends it. */
@Command(
        name = "node",
        description = "Serve devices to machines and move machines between hosts, until SIGINT or SIGTERM.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExample:%n",
        footer = {
            "  fairlead node --name alpha --state alpha --control alpha.ctl --listen alpha.example:7400 \\",
            "    --certificates ca/alpha.example --device name=disk0,type=blk,socket=disk0.sock,path=disk.img \\",
            "    --machine name=vm0,qmp=vm0.qmp,devices=disk0",
            "",
            "When everything listens, the line 'ready' is printed. 'fairlead migrate' moves a machine;",
            "docs/migration.md has a session that can be pasted. A node that was killed takes up what it was at",
            "when it is started again with the same --state."
        })
final class NodeCommand implements Callable<Integer> {
    private static final String LIKE = "like";

    @Option(names = "--name", paramLabel = "NAME", description = "For messages. Default: the host's name.")
    private @Nullable String name;

    @Option(
            names = "--state",
            required = true,
            paramLabel = "FOLDER",
            description = "Where the node writes down what it must not forget.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private Path state;

    @Option(
            names = "--control",
            required = true,
            paramLabel = "SOCKET",
            description = "Where it takes commands, made with mode 0600.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private Path control;

    @Option(
            names = "--listen",
            required = true,
            paramLabel = "HOST:PORT",
            description = "Where other nodes connect to; port 0 chooses one. QEMU listens at this address, too, at a"
                    + " port of its own, while it waits for a machine.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private String listen;

    @Option(
            names = "--certificates",
            required = true,
            paramLabel = "FOLDER",
            description = "This host's certificates ('fairlead certificates create').")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private Path certificates;

    @Option(
            names = "--device",
            paramLabel = "KEY=VALUE,...",
            description = {
                "A device, as often as there are devices; as of 'fairlead serve'. name=, type= and socket= are needed.",
                SoftwareManagement.HELP,
                "like=HOST:PORT makes it as the device of the same machine and name is at that node, so that the"
                        + " machine can come from there; what is given here goes before. It is asked once and written"
                        + " down in --state."
            })
    private List<String> devices = List.of();

    @Option(
            names = "--machine",
            paramLabel = "KEY=VALUE,...",
            description = "A machine, as often as there are machines: name=, qmp= (the socket of a monitor of its QEMU"
                    + " that nobody else uses; QEMU may be started later) and devices= with + between names. Machine"
                    + " and devices have the same names on every host.")
    private List<String> machines = List.of();

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads that serve queues; by default one a processor.")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Option(names = "--json", description = "Print JSON, one object a line.")
    private boolean json;

    @Override
    public Integer call() throws IOException, InterruptedException {
        List<DeviceOption> options = devices.stream().map(DeviceOption::parse).toList();
        List<MachineOption> known = machines.stream().map(MachineOption::parse).toList();
        HostPort address = HostPort.parse(listen);
        NodeOptions nodeOptions = new NodeOptions(
                name != null ? name : InetAddress.getLocalHost().getHostName(),
                state.toAbsolutePath(),
                control,
                new InetSocketAddress(InetAddress.getByName(address.host()), address.port()),
                certificates.toAbsolutePath());
        PrintStream out = System.out;
        try (TerminationSignal signal = TerminationSignal.install();
                ServedDevices served = new ServedDevices(threads)) {
            Map<String, NodeDevice> byName = new LinkedHashMap<>();
            for (DeviceOption option : options) {
                Map<String, String> attributes = attributes(option, known, nodeOptions, served);
                byName.put(
                        option.name(),
                        served.make(new DeviceOption(option.name(), option.deviceId(), option.socket(), attributes)));
            }
            try (Node node = new Node(nodeOptions, known, byName, served, served.inventory())) {
                if (json) {
                    ObjectNode line = new JsonMapper().createObjectNode();
                    line.put("ready", true).put("port", node.port());
                    out.println(line);
                } else {
                    out.println("listening for nodes at " + new HostPort(address.host(), node.port()));
                    out.println("ready");
                }
                out.flush();
                signal.await();
            }
        }
        return 0;
    }

    /** Those of a device, with those that another node's device has where it shall be like that. */
    private Map<String, String> attributes(
            DeviceOption option, List<MachineOption> machines, NodeOptions nodeOptions, ServedDevices served)
            throws IOException {
        Map<String, String> given = new LinkedHashMap<>(option.attributes());
        String like = given.remove(LIKE);
        if (like == null) {
            return given;
        }
        MachineOption machine = machines.stream()
                .filter(candidate -> candidate.devices().contains(option.name()))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "device %s: like= needs a --machine that has the device".formatted(option.name())));
        DeviceProfile other =
                new SourceProfiles(nodeOptions).profile(HostPort.parse(like), machine.name(), option.name());
        if (other.deviceId() != option.deviceId()) {
            throw new IllegalArgumentException("device %s: it is of type %s at %s and cannot be like it as %s"
                    .formatted(option.name(), other.type(), like, DeviceId.name(option.deviceId())));
        }
        Map<String, String> all = served.attributesLike(other, given);
        if (json) {
            ObjectNode line = new JsonMapper().createObjectNode().put("device", option.name());
            ObjectNode taken = line.put("like", like).putObject("attributes");
            all.forEach(taken::put);
            System.out.println(line);
        } else {
            System.out.printf("device %s is like %s: %s%n", option.name(), like, all);
        }
        return all;
    }
}
