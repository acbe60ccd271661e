package io.fairlead.cli;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.kernel.vduse.VduseEndpoint;
import io.fairlead.kernel.vduse.VduseFrontEnd;
import io.fairlead.kernel.vhostvdpa.VhostVdpaManagement;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.client.VhostUserManagement;
import io.fairlead.vhostuser.server.RingTimes;
import io.fairlead.vhostuser.server.VhostUserEndpoint;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code fairlead serve}: software devices, other daemons' and the kernel's, at vhost-user sockets or in this host's kernel, until a
 * signal ends it.
 */
@Command(
        name = "serve",
        description = "Serve devices, each at a vhost-user socket of its own or in this host's kernel, until SIGINT or"
                + " SIGTERM.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExample:%n",
        footer = {
            "  fairlead serve --device name=disk0,type=blk,socket=/tmp/disk0.sock,path=disk.img,queues=4",
            "",
            "QEMU then takes the disk by",
            "  -object memory-backend-memfd,id=mem,size=1G,share=on -machine memory-backend=mem \\",
            "  -chardev socket,id=c0,path=/tmp/disk0.sock -device vhost-user-blk-pci,chardev=c0,num-queues=4",
            "",
            "A disk of qemu-storage-daemon, whose own socket is /tmp/qsd.sock, is taken and presented by",
            "  fairlead serve --device name=disk1,type=blk,socket=/tmp/disk1.sock,backend=/tmp/qsd.sock",
            "",
            "A disk for this host itself, by VDUSE: afterwards, 'vdpa dev add name disk2 mgmtdev vduse' makes it /dev/vdX",
            "  fairlead serve --device name=disk2,type=blk,vduse=disk2,path=disk.img",
            "",
            "A vDPA device of the kernel, as a DPU has them, is taken and presented by",
            "  fairlead serve --device name=nic0,type=net,socket=/tmp/nic0.sock,vhost-vdpa=net-52:54:00:12:34:56",
            "",
            "Sockets are made with mode 0600. When all of them listen, the line 'ready' is printed;",
            "at the end, what each queue served and how long rings took to start and stop."
        })
final class ServeCommand implements Callable<Integer> {
    private static final double NANOS_PER_MILLI = 1e6;

    @Option(
            names = "--device",
            required = true,
            paramLabel = "KEY=VALUE,...",
            description = {
                "A device, as often as there are devices. name=, type= and one of socket= (for machines) and vduse=NAME"
                        + " (for this host's kernel: blk, net, fs) are needed; a comma in a value is doubled.",
                SoftwareManagement.HELP,
                "With backend=SOCKET, the device of any type that another daemon serves there: "
                        + VhostUserManagement.ATTRIBUTES,
                "With vhost-vdpa=NAME, the kernel's vDPA device of that name, of any type: "
                        + VhostVdpaManagement.ATTRIBUTES
                        + ", and fallback (errors, software, none) with fallback-ATTRIBUTE of the software device, for what"
                        + " goes on where it is taken away"
            })
    private List<String> devices = List.of();

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads that serve queues; by default one a processor.")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Option(
            names = "--state",
            paramLabel = "FOLDER",
            defaultValue = "/run/fairlead",
            description =
                    "Where requests in flight of devices with vduse= are recorded, so that the next process goes on"
                            + " with them; should be empty after the host has started. Default: ${DEFAULT-VALUE}.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private Path state;

    @Option(names = "--json", description = "Print JSON, one object a line.")
    private boolean json;

    private final JsonMapper mapper = new JsonMapper();

    @Override
    public Integer call() throws IOException, InterruptedException {
        List<ServedOption> options = devices.stream().map(ServedOption::parse).toList();
        PrintStream out = System.out;
        try (TerminationSignal signal = TerminationSignal.install();
                ServedDevices served = new ServedDevices(threads)) {
            List<VhostUserEndpoint> endpoints = new ArrayList<>();
            try (VduseFrontEnd kernel = new VduseFrontEnd(state)) {
                for (ServedOption option : options) {
                    present(option, served, kernel, endpoints);
                }
                out.println(json ? "{\"ready\":true}" : "ready");
                out.flush();
                signal.await();
            }
            served.stopServing();
            printStatistics(out, served.registry());
            endpoints.forEach(endpoint -> printRingTimes(out, endpoint));
            out.flush();
        }
        return 0;
    }

    private void present(
            ServedOption option, ServedDevices served, VduseFrontEnd kernel, List<VhostUserEndpoint> endpoints)
            throws IOException {
        if (option.socket() != null) {
            VhostUserEndpoint endpoint =
                    served.add(option.name(), option.deviceId(), option.socket(), option.attributes());
            endpoints.add(endpoint);
            printDevice(
                    endpoint.device(),
                    endpoint.device().queueCount(),
                    "socket",
                    option.socket().toString(),
                    "at ");
        } else if (option.vduse() != null) {
            VdpaDevice device = served.create(option.name(), option.deviceId(), option.attributes());
            VduseEndpoint endpoint = kernel.serve(device, option.vduse());
            String how = endpoint.isTakenUp() ? "taken up as VDUSE device " : "as VDUSE device ";
            printDevice(device, endpoint.queueCount(), "vduse", option.vduse(), how);
        }
    }

    private void printDevice(VdpaDevice device, int queueCount, String key, String where, String how) {
        PrintStream out = System.out;
        if (json) {
            ObjectNode node = mapper.createObjectNode();
            node.put("name", device.name());
            node.put("type", DeviceId.name(device.deviceId()));
            node.put(key, where);
            node.put("queues", queueCount);
            out.println(node);
        } else {
            out.printf(
                    "%s: %s, %d queue%s, %s%s%n",
                    device.name(),
                    DeviceId.name(device.deviceId()),
                    queueCount,
                    queueCount == 1 ? "" : "s",
                    how,
                    where);
        }
    }

    private void printStatistics(PrintStream out, Registry registry) {
        for (Registry.Entry entry : registry.devices()) {
            VdpaDevice device = entry.device();
            DeviceStatistics statistics = device.statistics();
            List<QueueStatistics> queues = statistics.queues();
            for (int i = 0; i < queues.size(); i++) {
                QueueStatistics.Snapshot counts = queues.get(i).snapshot();
                if (json) {
                    ObjectNode node = mapper.createObjectNode();
                    node.put("name", device.name());
                    node.put("queue", i);
                    ObjectNode counters = mapper.valueToTree(counts);
                    if (!statistics.countsMarks()) {
                        counters.putNull("markedPages");
                    }
                    node.set("statistics", counters);
                    out.println(node);
                } else {
                    out.printf(
                            "%s queue %d: %d requests, %d failed, %d bytes read, %d bytes written, %d kicks,"
                                    + " %d signals, %d guest faults, %s pages marked%n",
                            device.name(),
                            i,
                            counts.requests(),
                            counts.failedRequests(),
                            counts.readBytes(),
                            counts.writtenBytes(),
                            counts.kicks(),
                            counts.signals(),
                            counts.guestFaults(),
                            statistics.countsMarks() ? counts.markedPages() : "unknown");
                }
            }
            printTypeCounters(out, device);
        }
    }

    private void printTypeCounters(PrintStream out, VdpaDevice device) {
        Map<String, Long> counters = device.typeCounters();
        if (counters.isEmpty()) {
            return;
        }
        if (json) {
            ObjectNode node = mapper.createObjectNode();
            node.put("name", device.name());
            node.set("counters", mapper.valueToTree(counters));
            out.println(node);
        } else {
            out.printf(
                    "%s: %s%n",
                    device.name(),
                    counters.entrySet().stream()
                            .map(counter -> counter.getKey() + " " + counter.getValue())
                            .collect(Collectors.joining(", ")));
        }
    }

    private void printRingTimes(PrintStream out, VhostUserEndpoint endpoint) {
        RingTimes times = endpoint.ringTimes();
        if (json) {
            ObjectNode node = mapper.createObjectNode();
            node.put("name", endpoint.device().name());
            node.put("longestStartMicros", times.longestStartNanos() / 1000);
            node.put("longestStopMicros", times.longestStopNanos() / 1000);
            out.println(node);
        } else {
            out.printf(
                    Locale.ROOT,
                    "%s: a ring took at most %.1f ms to start and %.1f ms to stop%n",
                    endpoint.device().name(),
                    times.longestStartNanos() / NANOS_PER_MILLI,
                    times.longestStopNanos() / NANOS_PER_MILLI);
        }
    }
}
