package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.GuestResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest with files of a shared file system open, locked, removed and written to moves between two nodes. */
@Timeout(600)
class FsNodeMigrationTest {
    private static final String JOB = FsHolder.START + """
            mkdir many
            for file in $(seq 1 300); do echo $file >many/$file; done
            echo "without a name" >removed
            exec 7<removed
            rm removed
            emit '{"at":"busy"}'
            receive >/dev/null
            """ + FsHolder.END + """
            emit "{\\"removed\\":\\"$(cat <&7)\\",\\"many\\":$(cat many/* | wc -l)}"
            exec 7<&-
            cd / && umount /mnt/home && emit '{"unmounted":"yes"}'
            """ + Lab.REPORT_KERNEL_ERRORS;

    @TempDir
    Path folder;

    @Test
    void filesThatAreOpenLockedAndRemovedMoveBetweenNodes() throws Exception {
        Path export = Files.createDirectory(folder.resolve("export"));
        GuestProgram.build("fs-holder", export.resolve("fs-holder"));
        TwoNodes.Served served = new TwoNodes.Served(
                "fs",
                "path=%s,tag=home".formatted(export),
                (id, socket) -> VhostUserDevice.fs(id, socket, "home"),
                false,
                UnaryOperator.identity());
        try (TwoNodes nodes = new TwoNodes(folder, served, JOB, List.of())) {
            var _ = nodes.startDestination();
            NodeMigrationTest.moves(nodes);
            Lab.report("%s%n%s", nodes.a.node.output(), nodes.b.node.output());
            nodes.guest.send("end");
            GuestResult result = nodes.guest.awaitResult(Lab.PATIENCE);
            Lab.report("%s", result.lines());
            assertThat(Lab.line(result, "status").path("said").asString()).endsWith("errors 0");
            assertThat(Lab.line(result, "status").path("status").asInt(-1)).isZero();
            assertThat(Lab.line(result, "removed").path("removed").asString()).isEqualTo("without a name");
            assertThat(Lab.line(result, "removed").path("many").asInt()).isEqualTo(300);
            assertThat(Lab.line(result, "unmounted").path("unmounted").asString())
                    .isEqualTo("yes");
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
        }
    }
}
