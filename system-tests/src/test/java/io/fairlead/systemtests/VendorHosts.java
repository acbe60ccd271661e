package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.cli.host.ControlClient;
import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.awaitility.Awaitility;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Two hosts, each with its own vendor's disk over the same image, and a guest under verified load that moves between
 * them. One thread.
 */
final class VendorHosts implements AutoCloseable {
    /** The newest machine type that both releases have. */
    private static final String MACHINE_TYPE = "pc-q35-10.0";

    private static final int MEMORY_MIB = 384;
    private static final GuestLoad LOAD = new GuestLoad("/dev/vda");

    /** So that memory is sent in several passes while the readers read on. */
    private static final long BANDWIDTH_BYTES_PER_SECOND = 100_000_000;

    private static final int DOWNTIME_LIMIT_MILLIS = 500;
    private static final Duration CERTIFICATES = Duration.ofDays(1);
    private static final JsonMapper JSON = new JsonMapper();

    private final VendorCell cell;
    private final Path folder;
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

    /** @param shown makes of each host's disk what QEMU and the node see */
    VendorHosts(Path folder, VendorCell cell, UnaryOperator<VdpaDevice> shown)
            throws IOException, InterruptedException {
        this.cell = cell;
        this.folder = folder;
        Path image = GuestLoad.image(folder.resolve("data.img"));
        CertificateAuthority authority = CertificateAuthority.openOrCreate(folder.resolve("ca"), CERTIFICATES);
        boolean done = false;
        try {
            here = host("a", authority, image, shown);
            there = host("b", authority, image, shown);
            guest = MigratingGuest.start(
                    Lab.TESTBED,
                    spec().release(here.release())
                            .device(here.machineDevice(cell.rings()))
                            .workDirectory(folder.resolve("g")));
            Lab.await(guest.current(), "load");
            done = true;
        } finally {
            if (!done) {
                close();
            }
        }
    }

    private VendorHost host(String name, CertificateAuthority authority, Path image, UnaryOperator<VdpaDevice> shown)
            throws IOException {
        String address = InetAddress.getLoopbackAddress().getHostAddress();
        boolean first = both.isEmpty();
        VendorHost host = new VendorHost(
                first ? cell.here() : cell.there(),
                first ? cell.qemuHere() : cell.qemuThere(),
                folder.resolve(name),
                authority.createHost(List.of("host-" + name, address), CERTIFICATES),
                image,
                cell.hasDaemon(),
                shown);
        both.add(host);
        return host;
    }

    private static GuestSpec spec() {
        return GuestSpec.job(LOAD.job())
                .name("moving")
                .machineType(MACHINE_TYPE)
                .memoryMib(MEMORY_MIB)
                .processors(2)
                .nodeMonitor();
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
                spec().destination().release(there.release()).device(there.machineDevice(cell.rings())));
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
        JsonNode done;
        try (ControlClient client = new ControlClient(here.control())) {
            done = client.execute(command, lines::add);
        }
        JsonNode report = lines.stream()
                .filter(line -> line.has("report"))
                .map(line -> line.path("report"))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no report: " + done + ", " + lines));
        boolean moved = report.path("result").asString("").equals("MOVED");
        assertThat(done.path("done").asInt(-1)).as("%s, %s", done, lines).isEqualTo(moved ? 0 : 1);
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

    /** Waits until the load has gone on where the guest is. */
    void load() {
        long rounds = GuestLoad.rounds(guest.lines());
        Awaitility.await().atMost(Lab.PATIENCE).until(() -> GuestLoad.rounds(guest.lines()) >= rounds + 2);
    }

    /** What the readers found so far that is not as the host wrote it. */
    List<String> differences() {
        return DeviceWrittenReads.totals(guest.lines()).differences();
    }

    /** Stops the load, lets the guest power off, and checks that nothing was lost. */
    GuestLoad.Outcome end() throws IOException, InterruptedException {
        guest.send("stop");
        GuestLoad.Outcome outcome = GuestLoad.check(guest.awaitResult(Lab.PATIENCE));
        both.forEach(VendorHost::check);
        return outcome;
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
