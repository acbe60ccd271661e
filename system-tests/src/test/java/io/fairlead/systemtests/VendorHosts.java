package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.cli.ControlClient;
import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.awaitility.Awaitility;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Two hosts, each with its own vendor's device for the same, and a guest under load that moves between them. The load says
 * {@code {"at":"load"}} when all is under way. One thread.
 */
abstract class VendorHosts implements AutoCloseable {
    /** The newest machine type that both releases have. */
    private static final String MACHINE_TYPE = "pc-q35-10.0";

    /** So that memory is sent in several passes while the load goes on. */
    private static final long BANDWIDTH_BYTES_PER_SECOND = 100_000_000;

    private static final int DOWNTIME_LIMIT_MILLIS = 500;
    private static final Duration CERTIFICATES = Duration.ofDays(1);
    private static final JsonMapper JSON = new JsonMapper();

    private final Guests guests;
    private final Path folder;
    private final Supplier<GuestSpec> spec;
    private final List<VendorHost> both = new ArrayList<>();
    private VendorHost here;
    private VendorHost there;
    private MigratingGuest guest;

    /**
     * One move.
     *
     * @param downtimeMillis as QEMU says
     * @param passes over memory
     */
    record Move(long totalMillis, long downtimeMillis, long passes) {}

    /**
     * What guests run on.
     *
     * @param kernelArguments further ones
     * @param tries to begin a move: on an emulated processor a node's greeting may take longer than the other one waits
     */
    record Guests(Testbed testbed, int memoryMib, int processors, String kernelArguments, int tries) {
        static final Guests ORDINARY = new Guests(Lab.TESTBED, 384, 2, "", 1);

        /** In an L1 host. */
        static Guests inL1(Testbed testbed) {
            return new Guests(testbed, 256, 1, "pci=lastbus=0", 3);
        }

        private GuestSpec spec(String job) {
            return GuestSpec.job(job)
                    .name("moving")
                    .machineType(MACHINE_TYPE)
                    .memoryMib(memoryMib)
                    .processors(processors)
                    .kernelArguments(kernelArguments)
                    .nodeMonitor();
        }
    }

    /**
     * @param kinds of the host where the guest starts, and of the other
     * @param releases of QEMU, likewise
     * @param shown makes of each host's device what QEMU and the node see
     */
    VendorHosts(
            Path folder,
            List<HostKind> kinds,
            List<QemuRelease> releases,
            Guests guests,
            String job,
            UnaryOperator<VdpaDevice> shown)
            throws IOException, InterruptedException {
        this.guests = guests;
        this.folder = folder;
        spec = () -> guests.spec(job);
        CertificateAuthority authority = CertificateAuthority.openOrCreate(folder.resolve("ca"), CERTIFICATES);
        boolean done = false;
        try {
            here = host("a", kinds.getFirst(), releases.getFirst(), authority, shown);
            there = host("b", kinds.getLast(), releases.getLast(), authority, shown);
            guest = MigratingGuest.start(
                    guests.testbed(),
                    spec.get()
                            .release(here.release())
                            .device(here.machineDevice())
                            .workDirectory(folder.resolve("g")));
            Lab.await(guest.current(), "load");
            done = true;
        } finally {
            if (!done) {
                close();
            }
        }
    }

    private VendorHost host(
            String name,
            HostKind kind,
            QemuRelease release,
            CertificateAuthority authority,
            UnaryOperator<VdpaDevice> shown)
            throws IOException {
        String address = InetAddress.getLoopbackAddress().getHostAddress();
        Path certificates = authority.createHost(List.of("host-" + name, address), CERTIFICATES);
        VendorHost host = new VendorHost(kind, release, folder.resolve(name), certificates, shown);
        both.add(host);
        return host;
    }

    /** Moves the guest to the other host, as {@code fairlead migrate} does. */
    Move move() throws IOException, InterruptedException {
        JsonNode report = migrate(false);
        Lab.report("%s", report);
        assertThat(report.path("result").asString("")).as("%s", report).isEqualTo("MOVED");
        return new Move(
                report.path("totalMillis").asLong(),
                report.path("qemuDowntimeMillis").asLong(),
                report.path("passes").asLong());
    }

    /**
     * Tries to move the guest.
     *
     * @return the report; the guest is where it says
     */
    JsonNode migrate(boolean selfCheck) throws IOException, InterruptedException {
        Guest destination = guest.startDestination(
                spec.get().destination().release(there.release()).device(there.machineDevice()));
        here.runs(guest.current());
        there.runs(destination);
        ObjectNode command = JSON.createObjectNode();
        command.put("command", "migrate")
                .put("machine", VendorHost.MACHINE)
                .put("to", there.address())
                .put("maxBandwidthBytesPerSecond", BANDWIDTH_BYTES_PER_SECOND)
                .put("downtimeLimitMillis", DOWNTIME_LIMIT_MILLIS)
                .put("selfCheck", selfCheck);
        List<JsonNode> lines = new ArrayList<>();
        JsonNode done = execute(command, lines);
        for (int tries = 1; tries < guests.tries() && lines.stream().noneMatch(line -> line.has("report")); tries++) {
            Lab.report("once more: %s", done);
            lines.clear();
            done = execute(command, lines);
        }
        JsonNode end = done;
        JsonNode report = lines.stream()
                .filter(line -> line.has("report"))
                .map(line -> line.path("report"))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no report: " + end + ", " + lines));
        boolean moved = report.path("result").asString("").equals("MOVED");
        assertThat(end.path("done").asInt(-1))
                .as(
                        "%s; %s; QEMU at the source: %s; at the destination: %s",
                        end, report, guest.current().errorOutput(), destination.errorOutput())
                .isEqualTo(moved ? 0 : 1);
        if (moved) {
            guest.moved();
            VendorHost from = here;
            here = there;
            there = from;
        } else {
            guest.stayed();
        }
        return report;
    }

    private JsonNode execute(ObjectNode command, List<JsonNode> lines) throws IOException, InterruptedException {
        try (ControlClient client = new ControlClient(here.control())) {
            return client.execute(command, lines::add);
        }
    }

    /** The guest, wherever it is. */
    MigratingGuest guest() {
        return guest;
    }

    /** Requests that went through the relay where the guest is. */
    long relayedRequests() {
        return here.relayedRequests();
    }

    /** Waits for something of the guest's; not for a guest that KVM gave up, which stands still. */
    void await(Callable<Boolean> wanted) {
        Awaitility.await()
                .atMost(Lab.PATIENCE)
                .failFast(() -> assertThat(guest.current().errorOutput()).doesNotContain("KVM internal error"))
                .until(wanted);
    }

    /** Waits until the load has gone on where the guest is. */
    abstract void load() throws IOException, InterruptedException;

    /** That both devices served and nothing failed. */
    void checkHosts() {
        both.forEach(VendorHost::check);
    }

    @Override
    public void close() throws IOException {
        // The guest goes first.
        try {
            if (guest != null) {
                guest.close();
            }
        } finally {
            for (VendorHost host : both) {
                host.close();
            }
        }
    }
}
