package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A destination that is told nothing of its disk but where it is, and to be like the source's. */
@Timeout(600)
class LikeSourceTest {
    private static final String SOURCE = ",queues=2,queue-size=128,block-size=4096,physical-block-size=8192,serial=s1";

    @TempDir
    Path folder;

    @Test
    void takesFeaturesAndConfigurationOfTheSourceAndKeepsThem() throws Exception {
        try (TwoNodes nodes = new TwoNodes(folder, SOURCE)) {
            nodes.b.node.close();
            nodes.b.start(nodes.file());
            TwoNodes.Ended unlike = nodes.migrate("--check").end();
            assertThat(ofDisk(unlike, "REFUSED")).as(unlike.text()).contains("blk_size", "queue count");

            nodes.b.node.close();
            String like = nodes.file() + ",like=" + nodes.a.address();
            nodes.b.start(like);
            assertThat(nodes.b.node.output()).contains("device disk0 is like " + nodes.a.address(), "block-size=4096");
            var _ = nodes.startDestination();
            TwoNodes.Ended check = nodes.migrate("--check").end();
            Lab.report("%s", check.text());
            assertThat(check.exitCode()).isZero();
            assertThat(ofDisk(check, "REFUSED")).isEmpty();
            assertThat(ofDisk(check, "WARNING")).isEmpty();
            NodeMigrationTest.moves(nodes);

            // The machine runs on it: it must be the same after a restart, also where there is nobody to ask.
            nodes.a.node.close();
            nodes.b.node.kill();
            nodes.b.start(like);
            assertThat(nodes.b.node.output()).contains("block-size=4096");
            NodeMigrationTest.finish(nodes);
        }
    }

    private static List<String> ofDisk(TwoNodes.Ended check, String outcome) {
        return check.lines().stream()
                .map(line -> line.path("verdict"))
                .filter(verdict -> verdict.path("subject").asString("").equals("disk0")
                        && verdict.path("outcome").asString("").equals(outcome))
                .map(verdict -> verdict.path("field").asString(""))
                .toList();
    }
}
