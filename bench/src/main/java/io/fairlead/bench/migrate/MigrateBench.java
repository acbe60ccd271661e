package io.fairlead.bench.migrate;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.Machine;
import io.fairlead.bench.RunCounter;
import io.fairlead.bench.TemporaryFolder;
import io.fairlead.bench.migrate.MigrateBenchOptions.Part;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.NetworkNamespace;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/**
 * Measures how long a busy guest stands still when it moves between two QEMUs: with a disk of Fairlead at both ends, moved
 * by plain QMP and by nodes, and with QEMU's own virtio-blk, in turn; and the same with four devices, all busy. For each move a guest is booted; daemons stay.
 */
public final class MigrateBench {
    private static final Duration PATIENCE = Duration.ofMinutes(4);
    private static final Duration AFTER = Duration.ofSeconds(2);
    private static final double NANOS_PER_MILLI = 1e6;
    private static final double NANOS_PER_SECOND = 1e9;

    private final MigrateBenchOptions options;
    private final Testbed testbed;
    private final BenchProgress progress;
    private final LoadedGuest guest;
    private final LoggingCost logging;
    private final BusyMoves busy;
    private final MigrateResults results = new MigrateResults();

    private MigrateBench(MigrateBenchOptions options, Testbed testbed, BenchProgress progress) throws IOException {
        this.options = options;
        this.testbed = testbed;
        this.progress = progress;
        this.guest = LoadedGuest.of(testbed);
        this.logging = new LoggingCost(options.rounds(), options.loggingRun(), progress);
        this.busy = new BusyMoves(options, testbed, progress);
    }

    /**
     * Measures. Children and files are gone at the end, also where the JVM is ended before it (but for SIGKILL).
     *
     * @throws IOException where a guest does not boot or does not move, or its disk failed
     */
    public static BenchReport run(MigrateBenchOptions options, Testbed testbed, BenchProgress progress)
            throws IOException, InterruptedException {
        MigrateBench bench = new MigrateBench(options, testbed, progress);
        Map<String, String> machine = Machine.describe(options.folder());
        machine.put("QEMU", testbed.qemu(options.release()).version().toString());
        machine.put("accelerator", testbed.accelerator(options.release()).name());
        Instant start = Instant.now();
        try (Cleanup cleanup = new Cleanup()) {
            Path folder = cleanup.add(TemporaryFolder.create(options.folder())).path();
            bench.measureParts(cleanup, folder);
        }
        List<BenchRow> rows = new ArrayList<>(bench.results.rows());
        rows.addAll(bench.busy.results().rows());
        rows.addAll(bench.logging.rows());
        List<BenchTable> tables = new ArrayList<>(bench.results.tables());
        tables.addAll(bench.busy.results().tables());
        if (!bench.logging.rows().isEmpty()) {
            tables.add(bench.logging.table());
        }
        return new BenchReport(
                "Migration: devices of Fairlead beside QEMU's own",
                bench.command(),
                start,
                machine,
                bench.notes(),
                rows,
                tables);
    }

    private String command() {
        String parts = options.parts().size() == Part.values().length
                ? ""
                : " --only "
                        + options.parts().stream().sorted().map(Part::toString).collect(Collectors.joining(","));
        return "./fairlead bench migrate --rounds %d%s".formatted(options.rounds(), parts);
    }

    private void measureParts(Cleanup cleanup, Path folder) throws IOException, InterruptedException {
        if (options.parts().contains(Part.LOGGING)) {
            logging.measure(folder);
        }
        if (options.parts().contains(Part.DISK)) {
            measure(cleanup, folder);
        }
        if (options.parts().contains(Part.DEVICES)
                && NetworkNamespace.obstacle().isEmpty()) {
            busy.measure(cleanup, folder);
        }
    }

    private List<String> notes() throws IOException {
        List<String> notes = new ArrayList<>();
        if (options.parts().contains(Part.DISK)) {
            notes.addAll(diskNotes());
        }
        if (options.parts().contains(Part.DEVICES)) {
            notes.addAll(busyNotes());
        }
        notes.add(
                "Handover: of the standing still what devices and nodes took, and not QEMU's stream: from QEMU's stop to the grant, and from the end of the load to the machine's running.");
        notes.add(
                "Outages are by the host's clock: the longest pause in what a process in the guest writes to a serial port. They have in them what an emulated processor needs to translate its code anew at the destination.");
        if (options.parts().contains(Part.LOGGING)) {
            notes.add(
                    "Logging is measured by the device contract within one process, %d runs of %s s each with the log on and off, in turn, on one running device; the log is cleared every 50 ms meanwhile."
                            .formatted(options.rounds(), options.loggingRun().toMillis() / 1e3));
        }
        if (Machine.isInMemory(options.folder())) {
            notes.add("The images are in memory (tmpfs), where O_DIRECT means nothing.");
        }
        return notes;
    }

    private List<String> busyNotes() {
        String obstacle = NetworkNamespace.obstacle().orElse("");
        return obstacle.isEmpty()
                ? List.of(
                        "`four devices`: %d guests of each kind, in turn, after one that does not count; each moves %d times, there and back. %d MiB, 2 processors, a disk with one queue (its root file system), a NIC with one queue pair, a SCSI host with a unit, a shared folder."
                                .formatted(options.rounds(), BusyMoves.MOVES, options.memoryMib()),
                        "All are busy: a fio on disk, unit and folder each reads and writes 4 KiB blocks at random past the page cache (%d in flight; in the folder one), a process reads from the disk, one from the unit, one makes, writes and reads small files in the folder, one counts; the host pings the guest with %d bytes every %d ms. Two processors of the host carry all of it, so that nothing in the guest gets what it asks for."
                                .formatted(BusyGuest.DEPTH, PingedNetwork.PING_BYTES, PingedNetwork.PING_MILLIS),
                        "The peer has virtio-blk-pci, virtio-net-pci and virtio-scsi-pci of QEMU's own process (io_uring, cache.direct=on; vhost=off). QEMU has no file system device of its own that migrates: the folder is virtiofsd's, which moves by QEMU's stream as ours does. NICs have TAP interfaces at one bridge, as on two hosts of one network.")
                : List.of("`four devices` was not measured: " + obstacle + ".");
    }

    private List<String> diskNotes() {
        return List.of(
                "%d moves with each kind of disk, in turn, after one that does not count; medians, in parentheses the least and the greatest move."
                        .formatted(options.rounds()),
                "Each move has a guest of its own, %d MiB, 2 processors, one disk with one queue, past the page cache. In it fio reads and writes 4 KiB blocks at random, %d in flight, and two hearts beat."
                        .formatted(options.memoryMib(), LoadedGuest.DEPTH),
                "`fairlead` (fairlead serve) and `QEMU virtio-blk` (cache.direct=on, aio=io_uring) are moved by plain QMP: one TCP stream over loopback, at most 1 GiB/s, downtime limit 300 ms.",
                "`nodes` is moved by two fairlead nodes and fairlead migrate: the same limits, TLS on all channels (hence its peer is `QEMU virtio-blk, TLS`: plain QMP with TLS on the stream), a journal, the devices' states on the nodes' own channel with requests in flight. `slow disk` is the same with each I/O %d ms later than it could be (delay-millis)."
                        .formatted(Contender.SLOW_MILLIS));
    }

    private void measure(Cleanup cleanup, Path folder) throws IOException, InterruptedException {
        List<Contender> contenders = new ArrayList<>();
        for (Contender.Kind kind : kinds()) {
            progress.step("Making the disk of " + kind.label());
            Path image = folder.resolve(kind + ".img");
            guest.makeImage(testbed, image);
            contenders.add(Contender.start(kind, options, image, folder, cleanup));
        }
        RunCounter counter = new RunCounter(progress, (options.rounds() + 1) * contenders.size());
        for (int round = 0; round <= options.rounds(); round++) {
            List<Contender> order = new ArrayList<>(contenders);
            Collections.rotate(order, round);
            for (Contender contender : order) {
                int _ = counter.begin("move, " + contender.kind().label());
                MoveFigures figures = move(contender, round % 2);
                // Nobody has compiled or loaded anything in the first round.
                if (round > 0) {
                    results.add(contender.kind(), figures);
                }
            }
        }
        for (Contender contender : contenders) {
            for (ServerProcess daemon : contender.daemons()) {
                cleanup.end(daemon);
                results.addRingTimes(daemon.written());
            }
        }
    }

    private Set<Contender.Kind> kinds() {
        return options.withNodes()
                ? EnumSet.allOf(Contender.Kind.class)
                : EnumSet.of(Contender.Kind.FAIRLEAD, Contender.Kind.QEMU);
    }

    private MoveFigures move(Contender contender, int from) throws IOException, InterruptedException {
        GuestSpec spec = guest.spec(options);
        contender.attach(spec, from, false);
        GuestSpec there = spec.destination();
        contender.attach(there, 1 - from, true);
        try (MigratingGuest moving = MigratingGuest.start(testbed, spec);
                Heartbeat heart = Heartbeat.listen(moving.current(), 0);
                Heartbeat disk = Heartbeat.listen(moving.current(), 1)) {
            JsonNode _ = moving.awaitLine(line -> line.path("at").asString("").equals("busy"), PATIENCE);
            Guest destination = moving.startDestination(there);
            long beforeNanos = System.nanoTime();
            TimeUnit.NANOSECONDS.sleep(options.settling().toNanos());
            long startNanos = System.nanoTime();
            Mover.Move end = contender.mover().move(from, moving.current(), destination);
            moving.moved();
            TimeUnit.NANOSECONDS.sleep(AFTER.toNanos());
            long endNanos = System.nanoTime();
            moving.send("report");
            checkGuest(moving.awaitLine(line -> line.has("kernelErrors"), PATIENCE));
            return new MoveFigures(
                    end,
                    heart.longestGap(startNanos, endNanos).nanos() / NANOS_PER_MILLI,
                    disk.longestGap(startNanos, endNanos).nanos() / NANOS_PER_MILLI,
                    disk.countBetween(beforeNanos, startNanos) * NANOS_PER_SECOND / (startNanos - beforeNanos));
        } catch (IOException | IllegalStateException e) {
            throw new IOException(
                    "the guest with a disk of %s: %s".formatted(contender.kind().label(), e.getMessage()), e);
        }
    }

    private static void checkGuest(JsonNode report) throws IOException {
        if (report.path("kernelErrors").asInt(-1) != 0
                || report.path("loadRuns").asInt(0) != 1) {
            throw new IOException("its kernel complained or its load ended: " + report);
        }
    }
}
