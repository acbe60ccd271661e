package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest under verified load moves between two nodes on real QEMUs. */
@Timeout(900)
class NodeMigrationTest {
    @TempDir
    Path folder;

    @Test
    void movesThereAndBackAndIsTakenBackWhenTheUserSaysSo() throws Exception {
        try (TwoNodes nodes = new TwoNodes(folder, "")) {
            try {
                run(nodes);
            } finally {
                Lab.report("node a: %s", nodes.a.node.output());
                Lab.report("node b: %s", nodes.b.node.output());
            }
        }
    }

    private static void run(TwoNodes nodes) throws Exception {
        var _ = nodes.startDestination();
        TwoNodes.Ended check = nodes.migrate("--check").end();
        Lab.report("%s", check.text());
        assertThat(check.exitCode()).isZero();
        assertThat(check.text()).contains("\"field\":\"capacity\"").contains("machine type");
        moves(nodes);

        // So slow that it is still at it when the user changes his mind.
        var _ = nodes.startDestination();
        TwoNodes.Running slow = nodes.migrate("--max-bandwidth", "2000000");
        slow.awaitText("\"progress\"");
        slow.interrupt();
        TwoNodes.Ended cancelled = slow.end();
        Lab.report("%s", cancelled.text());
        assertThat(cancelled.exitCode()).isOne();
        assertThat(cancelled.report().path("result").asString()).isEqualTo("STAYED");
        assertThat(cancelled.report().path("reason").asString()).contains("cancelled by the user");
        nodes.guest.stayed();

        var _ = nodes.startDestination();
        moves(nodes, "--multifd", "2");
        finish(nodes);
    }

    static void moves(TwoNodes nodes, String... more) throws Exception {
        TwoNodes.Ended ended = nodes.migrate(more).end();
        Lab.report("%s", ended.text());
        assertThat(ended.exitCode()).as(ended.text()).isZero();
        assertThat(ended.report().path("result").asString()).isEqualTo("MOVED");
        nodes.moved();
    }

    static void finish(TwoNodes nodes) throws Exception {
        nodes.guest.send("stop");
        GuestResult result = nodes.guest.awaitResult(Lab.PATIENCE);
        DeviceWrittenReads.Totals totals = DeviceWrittenReads.totals(result.lines());
        Lab.report("%s", totals);
        assertThat(totals.readers()).isOne();
        assertThat(totals.wrongRounds()).as(totals.toString()).isZero();
        assertThat(totals.verifiedBytes()).isPositive();
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
        for (TwoNodes.Host host : List.of(nodes.a, nodes.b)) {
            assertThat(host.node.output()).doesNotContain("ERROR", "Exception");
        }
    }
}
