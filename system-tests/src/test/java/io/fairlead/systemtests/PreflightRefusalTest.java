package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.Guest;
import io.fairlead.virtio.Feature;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A destination with all that may be wrong with it: each is refused with its reason, before anything is changed. */
@Timeout(300)
class PreflightRefusalTest {
    private static final int LESS_MIB = 1;

    @TempDir
    Path folder;

    @Test
    void everyMismatchIsRefusedWithItsReasonAndNothingIsChanged() throws Exception {
        try (TwoNodes nodes = new TwoNodes(folder, ",queues=2,queue-size=256")) {
            Path small = SoftwareDisks.emptyImage(folder.resolve("small.img"), (long) LESS_MIB << 20);
            nodes.b.node.close();
            nodes.b.start("path=%s,volume=other,block-size=4096,queues=1,queue-size=64,features=0x%x"
                    .formatted(small, ~Feature.EVENT_IDX));
            Guest waiting = nodes.startDestination(
                    nodes.spec().machineType("pc-q35-9.2").destination());

            TwoNodes.Ended check = nodes.migrate("--check").end();
            Lab.report("%s", check.text());
            assertThat(check.exitCode()).isOne();
            refused(check, "machine", "machine type", "pc-q35-10.0", "pc-q35-9.2", "has to be equal", "-machine");
            refused(check, "disk0", "capacity", sectors(TwoNodes.READ_MIB), sectors(LESS_MIB), "has less", "grow");
            refused(check, "disk0", "blk_size", "512", "4096", "has to be equal", "block-size=");
            refused(check, "disk0", "queue count", "2", "1", "fewer queues", "give the destination 2 queues");
            refused(check, "disk0", "queue size", "128", "at most 64", "larger than the destination allows", "128");
            refused(check, "disk0", "driver features", "EVENT_IDX", "", "does not offer: EVENT_IDX", "features off");
            refused(check, "disk0", "volume", "data", "other", "another volume", "same volume");

            TwoNodes.Ended migration = nodes.migrate().end();
            Lab.report("%s", migration.error());
            assertThat(migration.exitCode()).isOne();
            assertThat(migration.error())
                    .startsWith("machine vm0 stays: ")
                    .contains("machine type", "capacity", "blk_size", "queue count", "queue size", "volume")
                    .contains("EVENT_IDX");
            assertThat(migration.lines()).noneMatch(line -> line.has("report"));

            assertThat(status(waiting)).isEqualTo("inmigrate");
            assertThat(status(nodes.guest.current())).isEqualTo("running");
            assertThat(nodes.guest
                            .current()
                            .machine()
                            .qmp()
                            .execute("query-migrate")
                            .has("status"))
                    .as("a migration of QEMU's")
                    .isFalse();
            nodes.guest.stayed();
            NodeMigrationTest.finish(nodes);
        }
    }

    private static String sectors(int mib) {
        return Long.toString(((long) mib << 20) / 512);
    }

    private static String status(Guest guest) throws Exception {
        return guest.machine().qmp().execute("query-status").path("status").asString("");
    }

    private static void refused(
            TwoNodes.Ended check,
            String subject,
            String field,
            String here,
            String there,
            String reason,
            String remedy) {
        JsonNode verdict = check.lines().stream()
                .map(line -> line.path("verdict"))
                .filter(line -> line.path("subject").asString("").equals(subject)
                        && line.path("field").asString("").equals(field))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no verdict on " + field + ": " + check.text()));
        assertThat(verdict.path("outcome").asString("")).as("%s", verdict).isEqualTo("REFUSED");
        assertThat(verdict.path("source").asString("")).contains(here);
        assertThat(verdict.path("destination").asString("")).contains(there);
        assertThat(verdict.path("reason").asString("")).contains(reason);
        assertThat(verdict.path("remedy").asString("")).contains(remedy);
    }
}
