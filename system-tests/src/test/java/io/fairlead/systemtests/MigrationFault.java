package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.Qmp;
import io.fairlead.systemtests.FaultTable.Instant;
import io.fairlead.systemtests.FaultTable.Outcome;
import io.fairlead.systemtests.FaultTable.Place;
import io.fairlead.systemtests.FaultTable.Victim;
import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * Two nodes and a guest that reads and writes its disk and compares all the time, of which something breaks while the guest
 * moves; then it moves in earnest. One case after the other, the next one the other way round. One thread.
 */
final class MigrationFault implements AutoCloseable {
    private static final int WRITE_MIB = 1;
    private static final long DELAY_MILLIS = 150;
    private static final long LIMIT_NANOS = 120_000_000_000L;
    private static final Duration ANSWER = Duration.ofSeconds(3);

    /** Longer than nodes bear silence. */
    private static final long OUTAGE_MILLIS = 8000;

    /** So slow that memory is still on its way when it happens. */
    private static final String SLOW_BYTES_PER_SECOND = "2000000";

    private static final String JOB =
            TwoNodes.READS.replace("emit '{\"at\":\"busy\"}'\nreceive >/dev/null\n", """
            written=0
            (
                written=0
                while [ ! -e /tmp/reads/stop ]; do
                    dd if=/dev/urandom of=/tmp/block bs=1M count=1 2>/dev/null
                    dd if=/tmp/block of=/dev/vda bs=1M seek=%1$d oflag=direct conv=notrunc 2>/dev/null
                    if dd if=/dev/vda bs=1M skip=%1$d count=1 iflag=direct 2>/dev/null | cmp -s - /tmp/block; then
                        written=$((written + 1048576))
                        echo $written >/tmp/written.new
                        mv /tmp/written.new /tmp/written
                    else
                        emit '{"wrongWrite":true}'
                    fi
                done
            ) &
            echo 0 >/tmp/written
            emit '{"at":"busy"}'
            while order=$(receive) && [ "$order" != stop ]; do
                sum=$(dd if=/dev/vda bs=1M count=%1$d iflag=direct 2>/dev/null | sha256sum | cut -c1-64)
                emit "{\\"order\\":\\"$order\\",\\"sha256\\":\\"$sum\\",\\"written\\":$(cat /tmp/written)}"
            done
            """.formatted(TwoNodes.READ_MIB));

    private final TwoNodes nodes;
    private final Path folder;
    private final Path image;
    private final SlowLine toA;
    private final SlowLine toB;
    private int orders;
    private long writtenBefore;

    MigrationFault(Path folder) throws Exception {
        this.folder = folder;
        image = folder.resolve("disk.img");
        nodes = new TwoNodes(folder, "", JOB, WRITE_MIB);
        toA = nodes.a.behindLine(DELAY_MILLIS);
        toB = nodes.b.behindLine(DELAY_MILLIS);
    }

    String output() {
        return "node a: %s%nnode b: %s".formatted(nodes.a.node.output(), nodes.b.node.output());
    }

    /** Runs a case. The next one may follow. */
    Outcome run(Victim victim, Instant at) throws Exception {
        Guest source = nodes.guest.current();
        Guest destination = nodes.startDestination();
        Set<Path> old = journals();
        TwoNodes.Running command = at == Instant.PRECOPY || at == Instant.ROLLBACK
                ? nodes.migrate("--max-bandwidth", SLOW_BYTES_PER_SECOND)
                : nodes.migrate();
        await(at, command, old);
        strike(victim, command, source, destination);
        String phases = phases(command);
        TwoNodes.Ended said = end(victim, at, command, source, destination);
        Place place = settle(source, destination);
        judge(victim, at, phases, place, said);
        if (place == Place.DESTINATION) {
            nodes.moved();
        } else {
            nodes.guest.stayed();
        }
        if (place == Place.NOWHERE) {
            nodes.startAgain();
            writtenBefore = 0;
        }
        long verified = place == Place.NOWHERE ? 0 : verify();
        int tries = tryAgain();
        if (place == Place.NOWHERE) {
            verified = verify();
        }
        return new Outcome(
                victim,
                at,
                place,
                said.exitCode(),
                said.error().replace(folder + "/", ""),
                verified,
                tries,
                said.text());
    }

    private void await(Instant at, TwoNodes.Running command, Set<Path> old) throws Exception {
        switch (at) {
            case READY -> awaitJournal("READY", command, old);
            case GRANTED -> awaitJournal("GRANTED", command, old);
            case ROLLBACK -> {
                command.awaitText("\"phase\":\"precopy\"");
                command.interrupt();
                command.awaitText("\"phase\":\"rollback\"");
            }
            default -> command.awaitText("\"phase\":\"" + at.phase + "\"");
        }
    }

    private Set<Path> journals() throws IOException {
        Path folder = nodes.there().journals();
        if (!Files.isDirectory(folder)) {
            return Set.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".journal")).collect(Collectors.toSet());
        }
    }

    /** What the destination has written down. */
    private void awaitJournal(String step, TwoNodes.Running command, Set<Path> old) throws Exception {
        long end = System.nanoTime() + LIMIT_NANOS;
        while (true) {
            for (Path file : journals()) {
                if (!old.contains(file) && read(file).contains("\"step\":\"" + step + "\"")) {
                    return;
                }
            }
            assertThat(System.nanoTime())
                    .as("never %s: %s", step, command.said())
                    .isLessThan(end);
            Thread.sleep(1);
        }
    }

    private static String read(Path file) throws IOException {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException e) {
            return "";
        }
    }

    private SlowLine line() {
        return nodes.there() == nodes.b ? toB : toA;
    }

    private void strike(Victim victim, TwoNodes.Running command, Guest source, Guest destination) throws Exception {
        switch (victim) {
            case SOURCE_NODE -> nodes.here().node.kill();
            case DESTINATION_NODE -> nodes.there().node.kill();
            case SOURCE_QEMU -> kill(source);
            case DESTINATION_QEMU -> kill(destination);
            case COMMAND -> command.kill();
            case CHANNEL_CUT -> line().cut();
            case CHANNEL_SILENT -> line().fallSilent();
            case STREAM_CUT -> {
                JsonNode _ =
                        qmp(source).execute("yank", Map.of("instances", Set.of(Map.of("type", "migration"))), ANSWER);
            }
        }
    }

    private static void kill(Guest guest) {
        boolean _ = ProcessHandle.of(guest.machine().pid()).orElseThrow().destroyForcibly();
    }

    private static Qmp qmp(Guest guest) {
        return guest.machine().qmp();
    }

    private static String phases(TwoNodes.Running command) {
        return command.said()
                .lines()
                .filter(line -> line.contains("\"phase\":"))
                .map(line -> line.replaceAll(".*\"phase\":\"([a-z]+)\".*", "$1"))
                .collect(Collectors.joining(" "));
    }

    /** Mends what can be mended, when it must be, and waits for the command. */
    private TwoNodes.Ended end(Victim victim, Instant at, TwoNodes.Running command, Guest source, Guest destination)
            throws Exception {
        switch (victim) {
            case SOURCE_NODE -> nodes.here().start();
            case DESTINATION_NODE -> nodes.there().start();
            case CHANNEL_CUT, CHANNEL_SILENT -> {
                if (!at.isBeforeTheGrant()) {
                    long end = System.nanoTime() + OUTAGE_MILLIS * 1_000_000;
                    while (System.nanoTime() < end) {
                        assertNotBoth(source, destination);
                        Thread.sleep(20);
                    }
                    line().mend();
                }
                // Before the grant it ends although nothing is mended.
            }
            default -> {}
        }
        TwoNodes.Ended ended = command.end();
        line().mend();
        return ended;
    }

    /** Waits until neither node is at it any more; never does the guest run at both. */
    private Place settle(Guest source, Guest destination) throws Exception {
        long end = System.nanoTime() + LIMIT_NANOS;
        while (TwoNodes.isBusy(nodes.a) || TwoNodes.isBusy(nodes.b)) {
            assertNotBoth(source, destination);
            assertThat(System.nanoTime()).as("a node is still at it").isLessThan(end);
            Thread.sleep(20);
        }
        assertNotBoth(source, destination);
        if (isRunning(destination)) {
            return Place.DESTINATION;
        }
        return isRunning(source) ? Place.SOURCE : Place.NOWHERE;
    }

    private static void assertNotBoth(Guest source, Guest destination) {
        // In this order: one that moves between the two questions is seen at both only if it was.
        boolean there = isRunning(destination);
        assertThat(there && isRunning(source)).as("the guest runs at both").isFalse();
    }

    private static boolean isRunning(Guest guest) {
        try {
            return qmp(guest).isOpen()
                    && qmp(guest)
                            .execute("query-status", Map.of(), ANSWER)
                            .path("status")
                            .asString("")
                            .equals("running");
        } catch (IOException e) {
            // It has ended, or stands and waits for its devices.
            return false;
        }
    }

    private static void judge(Victim victim, Instant at, String phases, Place place, TwoNodes.Ended said) {
        String what = "%s at %s (%s): %s%n%s".formatted(victim, at, phases, place, said.text());
        if (at != Instant.GRANTED && at != Instant.READY) {
            assertThat(phases).as("it was met there: " + what).endsWith(at.phase);
        }
        boolean mayBeLost =
                victim == Victim.SOURCE_QEMU || (victim == Victim.DESTINATION_QEMU && at == Instant.GRANTED);
        if (!mayBeLost) {
            assertThat(place).as(what).isNotEqualTo(Place.NOWHERE);
        }
        if (at.isBeforeTheGrant()) {
            assertThat(place).as(what).isEqualTo(victim == Victim.SOURCE_QEMU ? Place.NOWHERE : Place.SOURCE);
        }
        switch (victim) {
            case COMMAND -> {}
            case SOURCE_QEMU -> {
                if (at == Instant.CHECK) {
                    // Where there is no QEMU, none was lost that the node knows of.
                    assertThat(said.exitCode()).as(what).isOne();
                    assertThat(said.error()).as(what).contains("no QEMU answers");
                } else {
                    assertExit(place, said, what);
                }
            }
            case SOURCE_NODE -> {
                assertThat(said.exitCode()).as(what).isEqualTo(4);
                assertThat(said.error()).as(what).contains("when it is started again it takes up what it was at");
            }
            case DESTINATION_QEMU -> {
                // One that ends after it was said to run is not this command's.
                if (place != Place.NOWHERE || said.exitCode() != 0) {
                    assertExit(place, said, what);
                }
            }
            default -> assertExit(place, said, what);
        }
    }

    private static void assertExit(Place place, TwoNodes.Ended said, String what) {
        int expected = switch (place) {
            case DESTINATION -> 0;
            case SOURCE -> 1;
            case NOWHERE -> 3;
        };
        assertThat(said.exitCode()).as(what).isEqualTo(expected);
        if (expected != 0) {
            assertThat(said.error()).as(what).isNotEmpty();
        }
    }

    /** The guest answers, and what its disk holds is what the host's file holds; answers how much was verified. */
    private long verify() throws Exception {
        String order = "v" + orders++;
        nodes.guest.send(order);
        JsonNode line =
                nodes.guest.awaitLine(found -> found.path("order").asString("").equals(order), Lab.PATIENCE);
        byte[] content = Arrays.copyOf(Files.readAllBytes(image), TwoNodes.READ_MIB << 20);
        String sum =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        assertThat(line.path("sha256").asString("")).isEqualTo(sum);
        long written = line.path("written").asLong(0);
        long more = written - writtenBefore;
        writtenBefore = written;
        return content.length + more;
    }

    /** What was spoiled is cleared away in the background: a node that is at it says so. Answers how often it asked. */
    private int tryAgain() throws Exception {
        long end = System.nanoTime() + LIMIT_NANOS;
        for (int tries = 1; ; tries++) {
            Guest _ = nodes.startDestination();
            TwoNodes.Ended again = nodes.migrate().end();
            if (again.exitCode() == 0) {
                nodes.moved();
                return tries;
            }
            Lab.report("again: %s", again.text());
            assertThat(again.text()).as("only one that is at it").contains("wait for its end");
            assertThat(System.nanoTime()).isLessThan(end);
            nodes.guest.stayed();
        }
    }

    /** Ends the guest; what it compared all the time was right. Answers how many bytes that were. */
    long finish() throws Exception {
        nodes.guest.send("stop");
        GuestResult result = nodes.guest.awaitResult(Lab.PATIENCE);
        DeviceWrittenReads.Totals totals = DeviceWrittenReads.totals(result.lines());
        assertThat(totals.wrongRounds()).as(totals.toString()).isZero();
        assertThat(totals.verifiedBytes()).isPositive();
        assertThat(result.lines()).noneMatch(line -> line.has("wrongWrite"));
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
        return totals.verifiedBytes();
    }

    @Override
    public void close() throws IOException {
        try (toA;
                toB) {
            nodes.close();
        }
    }
}
