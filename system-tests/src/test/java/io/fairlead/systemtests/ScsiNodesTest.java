package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A guest that uses two units of a SCSI host all the time moves between two nodes and back: what the host keeps for it goes
 * along, and what becomes of its units in the middle of a move arrives.
 */
@Timeout(900)
class ScsiNodesTest {
    private static final int WRITTEN_MIB = 24;

    @TempDir
    Path folder;

    @Test
    void keepsReservationsAndModesAndFollowsItsUnits() throws Exception {
        byte[] content = new byte[ScsiLoad.READ_BYTES];
        new Random(6).nextBytes(content);
        Path read = Files.write(folder.resolve("read.img"), content);
        Path written = SoftwareDisks.emptyImage(folder.resolve("written.img"), (long) WRITTEN_MIB << 20);
        Path spare = SoftwareDisks.emptyImage(folder.resolve("spare.img"), 1 << 20);
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        TwoNodes.Served served = new TwoNodes.Served(
                "scsi",
                "queues=2,lun0=%s,lun0.locked=off,lun1=%s,lun1.locked=off,lun2=%s,lun2.locked=off"
                        .formatted(read, written, spare),
                (id, socket) -> VhostUserDevice.scsi(id, socket).with("num_queues", 2),
                true,
                spec -> spec.boot(GuestSpec.Boot.KERNEL).disk("root", root, 0));
        try (TwoNodes nodes = new TwoNodes(folder, served, ScsiLoad.JOB, List.of())) {
            try {
                run(nodes);
            } finally {
                Lab.report("node a: %s", nodes.a.node.output());
                Lab.report("node b: %s", nodes.b.node.output());
            }
        }
    }

    private static void run(TwoNodes nodes) throws Exception {
        JsonNode before = ScsiLoad.ask(nodes.guest, "before");
        assertKept(before, before, WRITTEN_MIB);

        var _ = nodes.startDestination();
        TwoNodes.Ended check = nodes.migrate("--check").end();
        assertThat(check.exitCode()).as(check.text()).isZero();
        assertThat(check.text()).contains("lun1 volume", "lun2 capacity");
        NodeMigrationTest.moves(nodes);
        assertKept(before, ScsiLoad.ask(nodes.guest, "there"), WRITTEN_MIB);

        // One unit grows, one may not be written any more, and one goes, while the machine moves.
        var _ = nodes.startDestination();
        TwoNodes.Running slow = nodes.migrate("--max-bandwidth", "20000000");
        slow.awaitText("\"progress\"");
        set(nodes, "lun1.size=%dM".formatted(2 * WRITTEN_MIB), "lun0.read-only=on", "lun2=none");
        assertThat(slow.said()).as("it moves still").doesNotContain("\"report\"");
        nodes.hurry();
        TwoNodes.Ended moved = slow.end();
        assertThat(moved.exitCode()).as(moved.text()).isZero();
        nodes.moved();
        JsonNode after = ScsiLoad.askUntil(
                nodes.guest,
                "back",
                answer -> answer.path("readOnly").asInt() == 1
                        && answer.path("units").asInt() == 2);
        assertKept(before, after, 2 * WRITTEN_MIB);
        assertThat(setting(nodes, "lun2=none").text()).contains("no lun2, only [0, 1]");
        set(nodes, "lun0.read-only=off");
        var _ = ScsiLoad.askUntil(
                nodes.guest, "writable", answer -> answer.path("readOnly").asInt() == 0);

        nodes.guest.send("end");
        GuestResult result = nodes.guest.awaitResult(Lab.PATIENCE);
        ScsiLoad.check(result);
        for (TwoNodes.Host host : List.of(nodes.a, nodes.b)) {
            assertThat(host.node.output()).doesNotContain("ERROR", "Exception");
        }
    }

    private static void assertKept(JsonNode before, JsonNode now, int mib) {
        assertThat(now.path("keys").asString())
                .contains("0xabc")
                .isEqualTo(before.path("keys").asString());
        assertThat(now.path("held").asString())
                .contains("Write Exclusive, registrants only")
                .isEqualTo(before.path("held").asString());
        assertThat(now.path("cache").asString()).isEqualTo("write through");
        assertThat(now.path("powerOns").asInt())
                .as("the guest notices nothing")
                .isEqualTo(before.path("powerOns").asInt());
        assertThat(now.path("size").asLong()).isEqualTo(mib * 2048L);
    }

    private static TwoNodes.Ended setting(TwoNodes nodes, String... changes) throws Exception {
        List<String> words = new ArrayList<>(List.of("dev", "set", "disk0"));
        words.addAll(List.of(changes));
        words.addAll(List.of("--control", nodes.here().control().toString()));
        return TwoNodes.command(words.toArray(String[]::new)).end();
    }

    private static void set(TwoNodes nodes, String... changes) throws Exception {
        TwoNodes.Ended ended = setting(nodes, changes);
        assertThat(ended.exitCode()).as(ended.text()).isZero();
    }
}
