package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.Qmp;
import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Who takes part in a migration is killed at a phase of it. The guest runs in one place afterwards, what it reads is
 * right, and the same migration succeeds when it is tried again.
 */
@Timeout(900)
class NodeFaultTest {
    private static final long LIMIT_NANOS = 120_000_000_000L;

    enum Victim {
        SOURCE_NODE,
        DESTINATION_NODE,
        DESTINATION_QEMU,
        COMMAND
    }

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"SOURCE_NODE, precopy", "DESTINATION_NODE, commit", "SOURCE_NODE, commit"})
    void runsInOnePlaceAndMovesWhenTriedAgain(Victim victim, String phase) throws Exception {
        run(victim, phase);
    }

    @Tag("long")
    @ParameterizedTest
    @CsvSource({
        "SOURCE_NODE, prepare",
        "SOURCE_NODE, stop",
        "DESTINATION_NODE, prepare",
        "DESTINATION_NODE, precopy",
        "DESTINATION_NODE, stop",
        "DESTINATION_QEMU, prepare",
        "DESTINATION_QEMU, precopy",
        "DESTINATION_QEMU, stop",
        "COMMAND, prepare",
        "COMMAND, precopy",
        "COMMAND, stop",
        "COMMAND, commit"
    })
    void runsInOnePlaceAndMovesWhenTriedAgainAtEveryPhase(Victim victim, String phase) throws Exception {
        run(victim, phase);
    }

    private void run(Victim victim, String phase) throws Exception {
        try (TwoNodes nodes = new TwoNodes(folder, "")) {
            try {
                Guest destination = nodes.startDestination();
                TwoNodes.Running command = nodes.migrate();
                command.awaitText("\"phase\":\"" + phase + "\"");
                switch (victim) {
                    case SOURCE_NODE -> restart(nodes.here());
                    case DESTINATION_NODE -> restart(nodes.there());
                    case DESTINATION_QEMU -> destination.close();
                    case COMMAND -> command.kill();
                }
                TwoNodes.Ended ended = command.end();
                boolean moved = awaitOnePlace(nodes.guest.current(), destination);
                Lab.report("%s killed at %s: %s%n%s", victim, phase, moved ? "moved" : "stayed", ended.text());
                if (moved) {
                    nodes.moved();
                } else {
                    nodes.guest.stayed();
                }
                tryAgain(nodes);
                finish(nodes);
            } finally {
                Lab.report("node a: %s", nodes.a.node.output());
                Lab.report("node b: %s", nodes.b.node.output());
            }
        }
    }

    private static void restart(TwoNodes.Host host) throws Exception {
        host.node.kill();
        host.start();
    }

    /** Answers whether the guest runs at the destination. Never at both. */
    private static boolean awaitOnePlace(Guest source, Guest destination) throws Exception {
        long end = System.nanoTime() + LIMIT_NANOS;
        while (true) {
            boolean there = isRunning(destination);
            boolean here = isRunning(source);
            assertThat(here && there).as("runs at both").isFalse();
            if (here || there) {
                return there;
            }
            assertThat(System.nanoTime()).as("runs nowhere").isLessThan(end);
            Thread.sleep(20);
        }
    }

    private static boolean isRunning(Guest guest) {
        Qmp qmp = guest.machine().qmp();
        try {
            return qmp.isOpen()
                    && qmp.execute("query-status").path("status").asString("").equals("running");
        } catch (IOException e) {
            return false;
        }
    }

    /** What was spoiled is cleared away in the background: a node that is at it says so. */
    private static void tryAgain(TwoNodes nodes) throws Exception {
        long end = System.nanoTime() + LIMIT_NANOS;
        while (true) {
            Guest _ = nodes.startDestination();
            TwoNodes.Ended again = nodes.migrate().end();
            if (again.exitCode() == 0) {
                nodes.moved();
                return;
            }
            Lab.report("again: %s", again.text());
            assertThat(again.text()).as("only one that is at it").contains("wait for its end");
            assertThat(System.nanoTime()).isLessThan(end);
            nodes.guest.stayed();
        }
    }

    private static void finish(TwoNodes nodes) throws Exception {
        nodes.guest.send("stop");
        GuestResult result = nodes.guest.awaitResult(Lab.PATIENCE);
        DeviceWrittenReads.Totals totals = DeviceWrittenReads.totals(result.lines());
        Lab.report("%s", totals);
        assertThat(totals.wrongRounds()).as(totals.toString()).isZero();
        assertThat(totals.verifiedBytes()).isPositive();
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
    }
}
