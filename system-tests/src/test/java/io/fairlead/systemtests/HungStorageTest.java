package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.blkio.StorageDaemon;
import io.fairlead.virtio.Feature;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Storage that takes longer for a request than a machine may stand still, and a destination that cannot take requests in
 * flight over: the machine stays, with its requests, and moves when it has none.
 */
@Timeout(600)
class HungStorageTest {
    /**
     * Longer than a disk that has to be drained is waited for, 5 s, by more than the time between two readers: whenever it is
     * stopped, some request has too long to go.
     */
    private static final int DELAY_MILLIS = 8_000;

    /** As qemu-storage-daemon's disk is. */
    private static final String SOURCE = ",features=0x%x,physical-block-size=512,delay-millis=%d"
            .formatted(~(Feature.RING_PACKED | Feature.RING_RESET), DELAY_MILLIS);

    /** Readers of one block each, one after the other, so that there is always a request that began just now. */
    private static final String JOB = """
            sum() { dd if=/dev/vda bs=4k skip=64 count=1 iflag=direct 2>/dev/null | sha256sum; }
            expected=$(sum)
            for i in 1 2 3 4; do
                (until [ -e /tmp/quiet ]; do
                    if [ "$(sum)" = "$expected" ]; then emit '{"read":"right"}'; else emit '{"read":"wrong"}'; fi
                done) &
                sleep 2
            done
            emit '{"at":"busy"}'
            receive >/dev/null
            touch /tmp/quiet
            wait
            emit '{"at":"quiet"}'
            receive >/dev/null
            [ "$(sum)" = "$expected" ] || exit 1
            """ + Lab.REPORT_KERNEL_ERRORS;

    @TempDir
    Path folder;

    @Test
    void aMachineWithRequestsThatHangStaysWithThemAndMovesLater() throws Exception {
        try (TwoNodes nodes = new TwoNodes(folder, SOURCE, JOB, 0)) {
            nodes.b.node.close();
            Path socket = folder.resolve("daemon.sock");
            StorageDaemon.Spec daemon = new StorageDaemon.Spec(
                    Lab.TESTBED.storageDaemon(QemuRelease.V11),
                    nodes.image(),
                    StorageDaemon.Aio.IO_URING,
                    false,
                    true,
                    false,
                    1,
                    List.of(socket));
            try (StorageDaemon _ = StorageDaemon.start(daemon)) {
                nodes.b.start("backend=%s,volume=data,like=%s".formatted(socket, nodes.a.address()));
                var _ = nodes.startDestination();
                TwoNodes.Ended stayed = nodes.migrate().end();
                Lab.report("%s", stayed.text());
                assertThat(stayed.exitCode()).isOne();
                assertThat(stayed.report().path("result").asString()).isEqualTo("STAYED");
                assertThat(stayed.report().path("reason").asString()).contains("disk0", "in flight");
                nodes.guest.stayed();
                long before = reads(nodes, "right");

                nodes.guest.send("quiet");
                JsonNode _ = nodes.guest.awaitLine(Lab.at("quiet"), Lab.PATIENCE);
                assertThat(reads(nodes, "right")).isGreaterThanOrEqualTo(before + 4);
                assertThat(reads(nodes, "wrong")).isZero();
                var _ = nodes.startDestination();
                NodeMigrationTest.moves(nodes);
                nodes.guest.send("end");
                GuestResult result = nodes.guest.awaitResult(Lab.PATIENCE);
                assertThat(result.status()).as("%s", result.lines()).isZero();
                assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                        .isEmpty();
            }
        }
    }

    private static long reads(TwoNodes nodes, String how) {
        return nodes.guest.lines().stream()
                .filter(line -> line.path("read").asString("").equals(how))
                .count();
    }
}
