package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.qemu.Qmp;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/**
 * QEMU's own live migration, driven by its monitor alone, of a guest whose disks are served by Fairlead on both sides:
 * two devices over the same images, of which only one is in use at a time.
 */
@Timeout(900)
class MigrationTest {
    private static final int PASSES = 2;

    /** Of the control; each finds what is lost but for rare luck. */
    private static final int MAX_CONTROL_MIGRATIONS = 6;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void thereAndBackUnderLoad(boolean packed, @TempDir Path folder) throws Exception {
        run(folder, packed, List.of(QemuRelease.V11, QemuRelease.V11, QemuRelease.V11), "q35");
    }

    @Test
    void toANewerQemu(@TempDir Path folder) throws Exception {
        run(folder, false, List.of(QemuRelease.V10, QemuRelease.V11), "pc-q35-10.0");
    }

    @Tag("long")
    @ParameterizedTest
    @CsvSource({"V10,V10,false", "V10,V10,true", "V10,V11,true", "V11,V11,false", "V11,V11,true"})
    void manyTimes(QemuRelease first, QemuRelease then, boolean packed, @TempDir Path folder) throws Exception {
        List<QemuRelease> releases = new ArrayList<>(List.of(first));
        for (int i = 0; i < 20; i++) {
            releases.add(then);
        }
        run(folder, packed, releases, "pc-q35-10.0");
    }

    private static void run(Path folder, boolean packed, List<QemuRelease> releases, String machineType)
            throws Exception {
        try (Hosts hosts = new Hosts(folder, packed, machineType, device -> device)) {
            hosts.start(releases.getFirst());
            hosts.awaitPasses();
            for (QemuRelease release : releases.subList(1, releases.size())) {
                JsonNode migration = hosts.migrate(release);
                Lab.report(
                        "to %s: %d ms, %d ms down, %d passes over its memory",
                        release,
                        migration.path("total-time").asLong(),
                        migration.path("downtime").asLong(),
                        migration.path("ram").path("dirty-sync-count").asLong());
                hosts.awaitPasses();
            }
            hosts.guest().send("stop");
            GuestResult result = hosts.guest().awaitResult(Lab.PATIENCE);
            assertThat(result.status()).isZero();
            JsonNode end = Lab.line(result, "wrong");
            Lab.report("%s", end);
            assertThat(end.path("wrong").asInt(-1)).isZero();
            assertThat(end.path("right").asInt()).isGreaterThanOrEqualTo(releases.size() * ReadLoad.READERS * PASSES);
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            hosts.check();
        }
    }

    @Test
    void withoutTheDirtyLogTheLoadFindsWhatIsLost(@TempDir Path folder) throws Exception {
        try (Hosts hosts = new Hosts(folder, false, "q35", DeafDevice::of)) {
            hosts.start(QemuRelease.V11);
            hosts.awaitPasses();
            assertThat(hosts.wrongPasses()).as("before the first migration").isZero();
            int migrations = 0;
            while (migrations < MAX_CONTROL_MIGRATIONS && hosts.wrongPasses() == 0) {
                JsonNode _ = hosts.migrate(QemuRelease.V11);
                migrations++;
                hosts.awaitPasses();
            }
            Lab.report("%d passes wrong after %d migrations", hosts.wrongPasses(), migrations);
            assertThat(hosts.wrongPasses()).isPositive();
        }
    }

    /** Two hosts in one process, and the guest that goes to and fro between them. */
    private static final class Hosts implements AutoCloseable {
        private final Path folder;
        private final boolean packed;
        private final String machineType;
        private final ReadLoad load;
        private final SoftwareDisks disks;
        private final SoftwareDisks.Disk[] roots = new SoftwareDisks.Disk[2];
        private final SoftwareDisks.Disk[] datas = new SoftwareDisks.Disk[2];
        private int here;
        private int starts;
        private Guest guest;

        @SuppressWarnings("NullAway.Init") // start comes first
        Hosts(Path folder, boolean packed, String machineType, UnaryOperator<VdpaDevice> shown) throws IOException {
            this.folder = folder;
            this.packed = packed;
            this.machineType = machineType;
            Path root = folder.resolve("root.img");
            Lab.TESTBED.copyRootImage(root);
            Path data = folder.resolve("data.img");
            load = ReadLoad.on(data);
            disks = new SoftwareDisks(folder);
            for (int host = 0; host < 2; host++) {
                roots[host] = disks.serve("root" + host, BlkSettings.of(root).withLocked(false), shown);
                datas[host] = disks.serve(
                        "data" + host, BlkSettings.of(data).withLocked(false).withQueueCount(2), shown);
            }
        }

        private GuestSpec spec(QemuRelease release) throws IOException {
            return GuestSpec.job(load.job())
                    .name("migrating" + starts)
                    .workDirectory(Files.createDirectories(folder.resolve("guest" + starts++)))
                    .release(release)
                    .machineType(machineType)
                    .boot(GuestSpec.Boot.KERNEL)
                    .memoryMib(384)
                    .processors(2)
                    .device(roots[here].forMachine())
                    .device(datas[here].forMachine().with("packed", packed ? "on" : "off"));
        }

        void start(QemuRelease release) throws IOException, InterruptedException {
            guest = Lab.TESTBED.start(spec(release));
            Lab.await(guest, "load");
        }

        Guest guest() {
            return guest;
        }

        /** Moves the guest to the other host; returns what the source's QEMU says of it. */
        JsonNode migrate(QemuRelease release) throws IOException {
            here = 1 - here;
            Guest destination = Lab.TESTBED.start(spec(release).arguments("-incoming", "defer"));
            JsonNode outcome;
            try (Guest source = guest) {
                guest = destination;
                String uri = "unix:" + folder.resolve("migration" + starts + ".sock");
                JsonNode _ = destination.machine().qmp().execute("migrate-incoming", Map.of("uri", uri));
                Qmp qmp = source.machine().qmp();
                JsonNode _ = qmp.execute("migrate", Map.of("uri", uri));
                Awaitility.await()
                        .atMost(Lab.PATIENCE)
                        .until(() -> List.of("completed", "failed", "cancelled")
                                .contains(status(qmp).path("status").asString()));
                outcome = status(qmp);
            }
            assertThat(outcome.path("status").asString()).as("%s", outcome).isEqualTo("completed");
            return outcome;
        }

        private static JsonNode status(Qmp qmp) throws IOException {
            return qmp.execute("query-migrate");
        }

        /** Waits until each reader and the writer went through their region again, at the host where the guest is. */
        void awaitPasses() {
            for (int reader = 0; reader < ReadLoad.READERS; reader++) {
                int index = reader;
                awaitPasses(line -> line.path("reader").asInt(-1) == index);
            }
            awaitPasses(line -> line.has("writer"));
        }

        private void awaitPasses(Predicate<JsonNode> of) {
            Awaitility.await()
                    .atMost(Lab.PATIENCE)
                    .until(() -> guest.lines().stream().filter(of).count() >= PASSES);
        }

        long wrongPasses() {
            return guest.lines().stream()
                    .filter(line -> line.path("sum").asString("").equals("wrong"))
                    .count();
        }

        /** Both hosts served, nothing failed, and the root file system is sound. */
        void check() throws IOException, InterruptedException {
            for (SoftwareDisks.Disk disk : List.of(roots[0], roots[1], datas[0], datas[1])) {
                assertThat(disk.statistics().guestFaults()).isZero();
                assertThat(disk.statistics().failedRequests()).isZero();
            }
            assertThat(datas[0].statistics().requests()).isPositive();
            assertThat(datas[1].statistics().requests()).isPositive();
            guest.close();
            new RootImage(roots[0].image()).check();
        }

        @Override
        public void close() throws IOException {
            guest.close();
            disks.close();
        }
    }
}
