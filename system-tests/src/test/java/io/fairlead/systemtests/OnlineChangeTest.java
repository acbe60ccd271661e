package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A disk of a node grows by the command while a guest uses it, and again while the machine moves. */
@Timeout(600)
class OnlineChangeTest {
    private static final int MIB_SECTORS = 2048;

    /** Says each size that it sees, without having looked for it. */
    private static final String JOB = TwoNodes.READS.replace("emit '{\"at\":\"busy\"}'", """
            (size=$(cat /sys/block/vda/size)
            while [ ! -e /tmp/reads/stop ]; do
                now=$(cat /sys/block/vda/size)
                if [ "$now" != "$size" ]; then
                    size=$now
                    emit "{\\"at\\":\\"size $size\\"}"
                fi
                sleep 0.1
            done) &
            emit '{"at":"busy"}'""");

    @TempDir
    Path folder;

    @Test
    void aDiskGrowsAlsoInTheMiddleOfAMove() throws Exception {
        try (TwoNodes nodes = new TwoNodes(folder, "", JOB, 0)) {
            TwoNodes.Ended smaller = set(nodes.here(), "size=1M");
            assertThat(smaller.exitCode()).isEqualTo(2);
            assertThat(smaller.text()).contains("disk0", "cut off", "--force");
            TwoNodes.Ended other = set(nodes.here(), "serial=x");
            assertThat(other.text()).contains("serial cannot be changed", "this can: size");

            assertThat(set(nodes.here(), "size=20M").text()).contains("disk0: size=20M");
            awaitMib(nodes, 20);

            var _ = nodes.startDestination();
            TwoNodes.Ended refused = nodes.migrate("--check").end();
            assertThat(refused.text())
                    .as("the destination was made before it grew")
                    .contains("capacity");
            assertThat(refused.exitCode()).isOne();
            assertThat(set(nodes.there(), "size=storage").exitCode()).isZero();
            TwoNodes.Running slow = nodes.migrate("--max-bandwidth", "20000000");
            slow.awaitText("\"progress\"");
            assertThat(set(nodes.here(), "size=24M").exitCode()).isZero();
            awaitMib(nodes, 24);
            nodes.hurry();
            TwoNodes.Ended moved = slow.end();
            assertThat(moved.exitCode()).as(moved.text()).isZero();
            nodes.moved();
            assertThat(set(nodes.here(), "size=28M").exitCode()).isZero();
            awaitMib(nodes, 28);
            NodeMigrationTest.finish(nodes);
        }
    }

    private static void awaitMib(TwoNodes nodes, int mib) throws Exception {
        JsonNode _ = nodes.guest.awaitLine(Lab.at("size " + mib * MIB_SECTORS), Lab.PATIENCE);
    }

    private static TwoNodes.Ended set(TwoNodes.Host host, String change) throws Exception {
        return TwoNodes.command(
                        "dev",
                        "set",
                        "disk0",
                        change,
                        "--control",
                        host.control().toString())
                .end();
    }
}
