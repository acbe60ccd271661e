package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.MachineFacts;
import io.fairlead.testbed.Guest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A machine with a device that QEMU does not migrate moves without it, and has it again where it runs. */
@Timeout(600)
class ReplugTest {
    /** Reads the disk all the time as other jobs do, and random numbers when it is told to. */
    private static final String JOB = TwoNodes.READS.replace("receive >/dev/null", """
            while word=$(receive) && [ "$word" != stop ]; do
                emit "{\\"at\\":\\"$word\\",\\"current\\":\\"$(cat /sys/class/misc/hw_random/rng_current)\\",\\"bytes\\":$(dd if=/dev/hwrng bs=4k count=4 iflag=fullblock 2>/dev/null | wc -c)}"
            done
            """);

    private static final int TRIES = 5;

    @TempDir
    Path folder;

    @Test
    void leavesBeforeTheMoveAndComesBack() throws Exception {
        List<TwoNodes.Unmigratable> rng =
                List.of(new TwoNodes.Unmigratable("rng0", "rng", "vhost-user-rng-pci", "port0"));
        try (TwoNodes nodes = new TwoNodes(folder, "", JOB, 0, rng)) {
            hasRandomNumbers(nodes, "first");

            var _ = nodes.startDestination();
            TwoNodes.Ended check = nodes.migrate("--check").end();
            assertThat(check.exitCode()).as(check.text()).isZero();
            assertThat(verdict(check, "rng0").path("outcome").asString()).isEqualTo("WARNING");
            NodeMigrationTest.moves(nodes);
            hasRandomNumbers(nodes, "moved");

            // It stays: what had left the machine comes back to it there.
            var _ = nodes.startDestination();
            TwoNodes.Running slow = nodes.migrate("--max-bandwidth", "2000000");
            slow.awaitText("\"progress\"");
            slow.interrupt();
            TwoNodes.Ended cancelled = slow.end();
            assertThat(cancelled.report().path("result").asString()).isEqualTo("STAYED");
            wasAway(cancelled);
            nodes.guest.stayed();
            hasRandomNumbers(nodes, "stayed");

            var _ = nodes.startDestination();
            TwoNodes.Ended back = nodes.migrate().end();
            assertThat(back.report().path("result").asString()).as(back.text()).isEqualTo("MOVED");
            wasAway(back);
            nodes.moved();
            hasRandomNumbers(nodes, "back");
            NodeMigrationTest.finish(nodes);
        }
    }

    /**
     * The destination's node is killed when the machine runs there and lacks the device still: the next process plugs it in.
     * Where the killed one was quicker, the machine moves once more.
     */
    @Test
    void isPluggedInByTheNextProcessWhereTheDestinationsNodeIsKilled() throws Exception {
        List<TwoNodes.Unmigratable> rng =
                List.of(new TwoNodes.Unmigratable("rng0", "rng", "vhost-user-rng-pci", "port0"));
        try (TwoNodes nodes = new TwoNodes(folder, "", JOB, 0, rng)) {
            hasRandomNumbers(nodes, "first");
            boolean lacked = false;
            for (int i = 0; i < TRIES && !lacked; i++) {
                Guest destination = nodes.startDestination();
                TwoNodes.Running command = nodes.migrate();
                awaitRunning(nodes.there().journals(), command);
                nodes.there().node.kill();
                lacked = !MachineFacts.deviceIds(destination.machine().qmp()).contains("rng0");
                nodes.there().start();
                TwoNodes.Ended ended = command.end();
                assertThat(ended.report().path("result").asString())
                        .as(ended.text())
                        .isEqualTo("MOVED");
                // The command asks while nobody is there, and says so, or the next process, which knows.
                String problem =
                        ended.report().path("away").path(0).path("problem").asString("none");
                Lab.report("killed before it was plugged in: %s; told: '%s'", lacked, problem);
                assertThat(problem).containsPattern("^$|not known whether the machine has it again");
                nodes.moved();
                Awaitility.await().atMost(Lab.PATIENCE).until(() -> !TwoNodes.isBusy(nodes.here()));
                assertThat(MachineFacts.deviceIds(destination.machine().qmp())).contains("rng0");
                hasRandomNumbers(nodes, "moved" + i);
            }
            assertThat(lacked).as("killed in time in any of %d moves", TRIES).isTrue();
            // It can leave again, too.
            var _ = nodes.startDestination();
            TwoNodes.Ended back = nodes.migrate().end();
            assertThat(back.report().path("result").asString()).as(back.text()).isEqualTo("MOVED");
            wasAway(back);
            nodes.moved();
            hasRandomNumbers(nodes, "back");
            NodeMigrationTest.finish(nodes);
        }
    }

    private static void awaitRunning(Path journals, TwoNodes.Running command) throws Exception {
        while (!written(journals).contains("\"step\":\"RUNNING\"")) {
            assertThat(command.said()).doesNotContain("\"report\"");
            Thread.onSpinWait();
        }
    }

    /** What the node has written down of moves to it that have not been forgotten. */
    private static String written(Path journals) throws IOException {
        StringBuilder text = new StringBuilder();
        if (Files.isDirectory(journals)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(journals, "*.journal")) {
                for (Path file : files) {
                    text.append(Files.readString(file, StandardCharsets.ISO_8859_1));
                }
            } catch (NoSuchFileException | DirectoryIteratorException e) {
                return "";
            }
        }
        return text.toString();
    }

    private static void wasAway(TwoNodes.Ended ended) {
        JsonNode away = ended.report().path("away").path(0);
        Lab.report("%s", away);
        assertThat(away.path("device").asString()).isEqualTo("rng0");
        assertThat(away.path("problem").asString()).isEmpty();
        assertThat(away.path("awayMillis").asLong()).isPositive();
    }

    private static JsonNode verdict(TwoNodes.Ended check, String subject) {
        return check.lines().stream()
                .map(line -> line.path("verdict"))
                .filter(verdict -> verdict.path("subject").asString("").equals(subject))
                .findFirst()
                .orElseThrow(() -> new AssertionError(check.text()));
    }

    private static void hasRandomNumbers(TwoNodes nodes, String word) throws Exception {
        nodes.guest.send(word);
        JsonNode line = nodes.guest.awaitLine(Lab.at(word), Lab.PATIENCE);
        assertThat(line.path("current").asString()).as(word).startsWith("virtio_rng");
        assertThat(line.path("bytes").asInt()).as(word).isEqualTo(4 * 4096);
    }
}
