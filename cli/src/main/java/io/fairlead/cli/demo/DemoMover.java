package io.fairlead.cli.demo;

import io.fairlead.cli.ControlClient;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.MigratingGuest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Moves the demo's machine between its hosts, by the commands that a user gives. One thread. */
final class DemoMover implements AutoCloseable {
    private static final double MIB = 1 << 20;

    /** How long a heart must have beaten on after a move before its longest pause is sure. */
    private static final long CALM_MILLIS = 1000;

    private final MigratingGuest guest;
    private final GuestSpec spec;
    private final DemoProgress progress;
    private final Heartbeat heartbeat;

    DemoMover(MigratingGuest guest, GuestSpec spec, DemoProgress progress) {
        this.guest = guest;
        this.spec = spec;
        this.progress = progress;
        heartbeat = Heartbeat.listen(guest.current(), 0);
    }

    /** @throws IOException where the machine did not move; it says why */
    DemoMove move(DemoHost from, DemoHost to) throws IOException, InterruptedException {
        GuestSpec destination = spec.destination();
        to.addDevices(destination, false);
        Guest waiting = guest.startDestination(destination);
        from.runs(guest.current());
        to.runs(waiting);
        progress.stage("fairlead migrate %s --to %s (host %s to host %s)"
                .formatted(DemoHost.MACHINE, to.address(), from.name(), to.name()));
        long start = System.nanoTime();
        List<JsonNode> reports = new ArrayList<>();
        ObjectNode command = new JsonMapper().createObjectNode();
        command.put("command", "migrate").put("machine", DemoHost.MACHINE).put("to", to.address());
        JsonNode done;
        try (ControlClient client = new ControlClient(from.control())) {
            done = client.execute(command, line -> {
                if (line.has("report")) {
                    reports.add(line.path("report"));
                } else {
                    show(line);
                }
            });
        }
        if (done.path("done").asInt(1) != 0 || reports.isEmpty()) {
            throw new IOException("the machine did not move from host %s to host %s: %s"
                    .formatted(from.name(), to.name(), done.path("error").asString("no reason given")));
        }
        guest.moved();
        Thread.sleep(CALM_MILLIS);
        double outageMillis = heartbeat.longestGap(start, System.nanoTime()).nanos() / 1e6;
        DemoMove move = DemoMove.of(from.name(), to.name(), reports.getFirst(), outageMillis);
        progress.stage("  moved; stood still %d ms by QEMU, %.0f ms in the guest"
                .formatted(move.qemuDowntimeMillis(), outageMillis));
        return move;
    }

    private void show(JsonNode line) {
        if (line.has("phase")) {
            progress.stage("  " + line.path("phase").asString(""));
        } else if (line.has("note")) {
            progress.stage("  " + line.path("note").asString(""));
        } else if (line.has("progress")) {
            JsonNode figures = line.path("progress");
            progress.stage(String.format(
                    Locale.ROOT,
                    "    %.0f of %.0f MiB left, sent at %.0f MiB/s, memory changes at %.0f MiB/s",
                    figures.path("remainingBytes").asLong() / MIB,
                    figures.path("totalBytes").asLong() / MIB,
                    figures.path("rateBytesPerSecond").asLong() / MIB,
                    figures.path("dirtyBytesPerSecond").asLong() / MIB));
        }
    }

    @Override
    public void close() {
        heartbeat.close();
    }
}
