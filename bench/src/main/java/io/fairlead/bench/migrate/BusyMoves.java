package io.fairlead.bench.migrate;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.RunCounter;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;

/**
 * Moves a guest with four devices, all busy, there and back: with devices of Fairlead, and with QEMU's own, in turn. One
 * thread.
 */
final class BusyMoves {
    /** How often each guest moves, there and back in turn. */
    static final int MOVES = 4;

    private static final int MOVES_TO_WARM_UP = 2;

    private static final Duration PATIENCE = Duration.ofMinutes(4);
    private static final Duration AFTER = Duration.ofSeconds(1);
    /** A guest that has just moved needs no longer. */
    private static final Duration SETTLING = Duration.ofSeconds(1);

    private static final double NANOS_PER_MILLI = 1e6;
    private static final double NANOS_PER_SECOND = 1e9;

    private final MigrateBenchOptions options;
    private final Testbed testbed;
    private final BenchProgress progress;
    private final BusyGuest guest;
    private final BusyResults results = new BusyResults();

    BusyMoves(MigrateBenchOptions options, Testbed testbed, BenchProgress progress) throws IOException {
        this.options = options;
        this.testbed = testbed;
        this.progress = progress;
        this.guest = BusyGuest.of(testbed);
    }

    BusyResults results() {
        return results;
    }

    /** Measures; {@link #results} has it then. */
    void measure(Cleanup cleanup, Path parent) throws IOException, InterruptedException {
        Path folder = Files.createDirectory(parent.resolve("busy"));
        PingedNetwork network = PingedNetwork.create(testbed, cleanup);
        List<String> fairlead = new ArrayList<>(network.prefix());
        fairlead.addAll(options.fairlead());
        List<BusyContender> contenders = new ArrayList<>();
        for (BusyContender.Kind kind : kinds()) {
            progress.step("Making disk and unit of " + kind.label());
            Path own = Files.createDirectory(folder.resolve(kind.name()));
            BusyContender.Place place = new BusyContender.Place(
                    own.resolve("disk.img"),
                    own.resolve("unit.img"),
                    Files.createDirectory(own.resolve("share")),
                    fairlead,
                    testbed.virtiofsd(),
                    own,
                    network);
            guest.makeDisk(testbed, place.disk());
            guest.makeUnit(place.unit());
            contenders.add(BusyContender.start(kind, place, cleanup));
        }
        RunCounter counter = new RunCounter(progress, (options.rounds() + 1) * contenders.size());
        for (int round = 0; round <= options.rounds(); round++) {
            List<BusyContender> order = new ArrayList<>(contenders);
            Collections.rotate(order, round);
            for (BusyContender contender : order) {
                int _ = counter.begin("moves, " + contender.kind().label());
                List<BusyFigures> moved = moves(contender, network, round > 0 ? MOVES : MOVES_TO_WARM_UP);
                // Nobody has compiled or loaded anything in the first round.
                if (round > 0) {
                    moved.forEach(figures -> results.add(contender.kind(), figures));
                }
            }
        }
        for (BusyContender contender : contenders) {
            for (ServerProcess daemon : contender.daemons()) {
                cleanup.end(daemon);
                results.addRingTimes(daemon.written());
            }
        }
    }

    private Set<BusyContender.Kind> kinds() {
        return options.withNodes()
                ? EnumSet.allOf(BusyContender.Kind.class)
                : EnumSet.of(BusyContender.Kind.FAIRLEAD, BusyContender.Kind.QEMU);
    }

    private List<BusyFigures> moves(BusyContender contender, PingedNetwork network, int count)
            throws IOException, InterruptedException {
        try (MigratingGuest moving = MigratingGuest.start(testbed, at(0, contender, network, guest.spec(options)));
                Hearts hearts = Hearts.listen(moving.current())) {
            JsonNode _ = moving.awaitLine(line -> line.path("at").asString("").equals("busy"), PATIENCE);
            List<BusyFigures> figures = new ArrayList<>();
            try (PingedNetwork.Pings pings = network.ping()) {
                for (int i = 0; i < count; i++) {
                    figures.add(move(contender, network, moving, i % BusyContender.HOSTS, hearts, pings.answers()));
                }
            }
            moving.send("report");
            checkGuest(moving.awaitLine(line -> line.has("kernelErrors"), PATIENCE));
            return figures;
        } catch (IOException | IllegalStateException e) {
            throw new IOException(
                    "the guest with devices of %s: %s"
                            .formatted(contender.kind().label(), e.getMessage()),
                    e);
        }
    }

    private BusyFigures move(
            BusyContender contender,
            PingedNetwork network,
            MigratingGuest moving,
            int from,
            Hearts hearts,
            Heartbeat answers)
            throws IOException, InterruptedException {
        Guest destination = moving.startDestination(
                at(1 - from, contender, network, guest.spec(options).destination()));
        long beforeNanos = System.nanoTime();
        TimeUnit.NANOSECONDS.sleep(
                SETTLING.compareTo(options.settling()) < 0
                        ? SETTLING.toNanos()
                        : options.settling().toNanos());
        long startNanos = System.nanoTime();
        Mover.Move end = contender.mover().move(from, moving.current(), destination);
        moving.moved();
        TimeUnit.NANOSECONDS.sleep(AFTER.toNanos());
        long endNanos = System.nanoTime();
        return new BusyFigures(
                end,
                hearts.outageMillis(startNanos, endNanos),
                answers.longestGap(startNanos, endNanos).nanos() / NANOS_PER_MILLI,
                hearts.beatsPerSecond(beforeNanos, startNanos));
    }

    private static GuestSpec at(int host, BusyContender contender, PingedNetwork network, GuestSpec spec)
            throws IOException {
        contender.attach(spec, host);
        return spec.startedBy(network.prefix());
    }

    private static void checkGuest(JsonNode report) throws IOException {
        if (report.path("kernelErrors").asInt(-1) != 0
                || report.path("loadRuns").asInt(0) != BusyGuest.loads()) {
            throw new IOException("its kernel complained or a load ended: " + report);
        }
    }

    /** All of a guest's. */
    private record Hearts(Map<BusyGuest.Heart, Heartbeat> beats) implements AutoCloseable {
        static Hearts listen(Guest guest) {
            Map<BusyGuest.Heart, Heartbeat> beats = new EnumMap<>(BusyGuest.Heart.class);
            for (BusyGuest.Heart heart : BusyGuest.Heart.values()) {
                beats.put(heart, Heartbeat.listen(guest, heart.card()));
            }
            return new Hearts(beats);
        }

        Map<BusyGuest.Heart, Double> outageMillis(long fromNanos, long toNanos) {
            Map<BusyGuest.Heart, Double> outages = new EnumMap<>(BusyGuest.Heart.class);
            beats.forEach((heart, beat) ->
                    outages.put(heart, beat.longestGap(fromNanos, toNanos).nanos() / NANOS_PER_MILLI));
            return outages;
        }

        Map<BusyGuest.Heart, Double> beatsPerSecond(long fromNanos, long toNanos) {
            Map<BusyGuest.Heart, Double> rates = new EnumMap<>(BusyGuest.Heart.class);
            double seconds = (toNanos - fromNanos) / NANOS_PER_SECOND;
            beats.forEach((heart, beat) -> rates.put(heart, beat.countBetween(fromNanos, toNanos) / seconds));
            return rates;
        }

        @Override
        public void close() {
            beats.values().forEach(Heartbeat::close);
        }
    }
}
