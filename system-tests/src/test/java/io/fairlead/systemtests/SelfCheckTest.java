package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.systemtests.VendorCell.Rings;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The self-check of a migration on real QEMUs, with a device that does not log what it writes, and with one that does. */
@Timeout(900)
class SelfCheckTest {
    private static final long MEMORY_BYTES = 384L << 20;

    @TempDir
    Path folder;

    @Test
    void findsWhatADeviceDidNotLogAndNothingWhereItLogsAll() throws Exception {
        run(VendorDisk.FAIRLEAD, 1);
    }

    @Tag("long")
    @Test
    void findsWhatTheRelayDidNotLogAndNothingWhereItLogsAll() throws Exception {
        // There and back, so that both hosts relay.
        run(VendorDisk.FAIRLEAD_RELAYED, 2);
    }

    private void run(VendorDisk kind, int moves) throws Exception {
        AtomicBoolean logs = new AtomicBoolean();
        try (DiskHosts hosts = new DiskHosts(
                folder, VendorCell.newest(kind, kind, Rings.SPLIT), disk -> ObservedDevice.withLogWhile(disk, logs))) {
            hosts.load();
            JsonNode refused = hosts.migrate(true);
            Lab.report("%s", refused);
            assertThat(refused.path("result").asString()).isEqualTo("STAYED");
            assertThat(refused.path("reason").asString())
                    .matches("self-check: \\d+ pages of memory differ from the source's: 0x[0-9a-f]+-0x.*");
            assertThat(refused.path("startedMillis").asLong()).isZero();
            assertThat(refused.path("marked").path(0).path("pages").asLong(-1)).isZero();
            hosts.load();
            assertThat(hosts.differences()).isEmpty();

            logs.set(true);
            for (int i = 0; i < moves; i++) {
                JsonNode moved = hosts.migrate(true);
                Lab.report("%s", moved);
                assertThat(moved.path("result").asString()).as("%s", moved).isEqualTo("MOVED");
                assertThat(moved.path("checkedBytes").asLong()).isGreaterThan(MEMORY_BYTES - (1 << 20));
                JsonNode marked = moved.path("marked").path(0);
                assertThat(marked.path("device").asString()).isEqualTo(VendorHost.DEVICE);
                assertThat(marked.path("pages").asLong()).isPositive();
                assertThat(marked.path("bytes").asLong())
                        .isEqualTo(marked.path("pages").asLong() * 4096);
                hosts.load();
            }
            GuestLoad.Outcome outcome = hosts.end();
            assertThat(outcome.verifiedBytes()).isPositive();
        }
    }
}
