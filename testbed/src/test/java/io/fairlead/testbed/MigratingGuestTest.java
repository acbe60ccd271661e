package io.fairlead.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.qemu.IncomingMigration;
import io.fairlead.qemu.MachineFacts;
import io.fairlead.qemu.MigrationAddress;
import io.fairlead.qemu.MigrationException;
import io.fairlead.qemu.MigrationOptions;
import io.fairlead.qemu.MigrationProgress;
import io.fairlead.qemu.MigrationStatus;
import io.fairlead.qemu.OutgoingMigration;
import io.fairlead.qemu.Qmp;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Guests that move between real QEMUs, whose disk is QEMU's own: what the migrations of our devices are built on. */
class MigratingGuestTest {
    private static final Duration PATIENCE = Duration.ofMinutes(3);
    private static final int READ_MIB = 16;
    private static final int MARK_MIB = 4;

    /** Reads with verification and both hearts, until the host says so; a line each 20 ms that must not be cut. */
    private static final String JOB =
            Heartbeat.FUNCTIONS + DeviceWrittenReads.FUNCTIONS + """
            heartbeat_processor 0
            heartbeat_disk 1 /dev/vda %d %d
            """.formatted(READ_MIB * 2048, MARK_MIB * 2048)
                    + reads().expect() + reads().start() + """
            (i=0; while [ ! -e /tmp/reads/stop ]; do i=$((i + 1)); emit "{\\"line\\":$i}"; usleep 20000; done) &
            lines=$!
            emit '{"at":"busy"}'
            receive >/dev/null
            """ + DeviceWrittenReads.STOP + "wait $lines\n";

    @TempDir
    Path folder;

    private static DeviceWrittenReads reads() {
        return new DeviceWrittenReads("a", "/dev/vda", 0, READ_MIB, 4);
    }

    private Path image() throws Exception {
        byte[] content = new byte[READ_MIB << 20];
        new Random(3).nextBytes(content);
        Path image = Files.write(folder.resolve("disk.img"), content);
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength((long) (READ_MIB + MARK_MIB) << 20);
        }
        Heartbeat.prepare(image, (long) READ_MIB << 20, (long) MARK_MIB << 20);
        return image;
    }

    private static String sha256(Path image) throws Exception {
        byte[] region = Arrays.copyOf(Files.readAllBytes(image), READ_MIB << 20);
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(region));
    }

    private static GuestSpec spec(Path image) {
        return GuestSpec.job(JOB)
                .machineType("pc-q35-10.0")
                .memoryMib(256)
                .processors(2)
                .heartbeats(2)
                .nodeMonitor()
                .disk("d0", image, 0);
    }

    private static MigrationOptions options(int channels) {
        return MigrationOptions.plain()
                .withPauseBeforeSwitchover(true)
                .withMultifdChannels(channels)
                .withMaxBandwidth(1L << 30)
                .withDowntimeLimit(Duration.ofMillis(300));
    }

    private static void awaitBusy(MigratingGuest guest) throws Exception {
        JsonNode _ = guest.awaitLine(line -> line.path("at").asString("").equals("busy"), PATIENCE);
    }

    @ParameterizedTest
    @CsvSource({"V10, V11, 0"})
    void movesThereAndBackUnderLoad(QemuRelease from, QemuRelease to, int channels) throws Exception {
        checkThereAndBack(from, to, channels);
    }

    @ParameterizedTest
    @Tag("long")
    @CsvSource({"V10, V10, 0", "V11, V11, 2"})
    void movesBetweenEqualsUnderLoad(QemuRelease from, QemuRelease to, int channels) throws Exception {
        checkThereAndBack(from, to, channels);
    }

    private void checkThereAndBack(QemuRelease from, QemuRelease to, int channels) throws Exception {
        Path image = image();
        try (Testbed testbed = Testbed.open(Progress.toStandardError());
                MigratingGuest guest = MigratingGuest.start(testbed, spec(image).release(from));
                Heartbeat processor = Heartbeat.listen(guest.current(), 0);
                Heartbeat disk = Heartbeat.listen(guest.current(), 1)) {
            assertThat(guest.awaitLine(line -> line.has("sha256"), PATIENCE)
                            .path("sha256")
                            .asString())
                    .isEqualTo(sha256(image));
            awaitBusy(guest);
            for (QemuRelease release : List.of(to, from)) {
                Guest destination =
                        guest.startDestination(spec(image).destination().release(release));
                long beforeNanos = System.nanoTime();
                TimeUnit.MILLISECONDS.sleep(500);
                long startNanos = System.nanoTime();
                MigrationProgress end = move(guest.current(), destination, options(channels));
                guest.moved();
                TimeUnit.MILLISECONDS.sleep(500);
                long endNanos = System.nanoTime();
                Heartbeat.Gap outage = processor.longestGap(startNanos, endNanos);
                Heartbeat.Gap diskOutage = disk.longestGap(startNanos, endNanos);
                System.err.printf(
                        "to %s: %s%n  outage %.1f ms (%d beats in 0.5 s before), of the disk %.1f ms (%d beats)%n",
                        release,
                        end,
                        outage.nanos() / 1e6,
                        processor.countBetween(beforeNanos, startNanos),
                        diskOutage.nanos() / 1e6,
                        disk.countBetween(beforeNanos, startNanos));
                // The machine stood still for as long as QEMU says at least: both look at it from outside.
                assertThat(outage.nanos()).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(end.downtimeMillis() / 2));
            }
            guest.send("stop");
            GuestResult result = guest.awaitResult(PATIENCE);
            DeviceWrittenReads.Totals totals = DeviceWrittenReads.totals(result.lines());
            System.err.printf("%s to %s and back: %s%n", from, to, totals);
            assertThat(totals.readers()).isOne();
            assertThat(totals.wrongRounds()).as(totals.toString()).isZero();
            assertThat(totals.verifiedBytes()).isPositive();
            long[] lines = result.lines().stream()
                    .filter(line -> line.has("line"))
                    .mapToLong(line -> line.path("line").asLong())
                    .toArray();
            assertThat(lines)
                    .as("each line is there, whole and once")
                    .containsExactly(LongStream.rangeClosed(1, lines.length).toArray());
            assertThat(result.lines()).noneMatch(line -> line.has("text"));
        }
    }

    /** Moves a guest by the monitors that a node would use; returns what the source says at the end. */
    private static MigrationProgress move(Guest source, Guest destination, MigrationOptions options) throws Exception {
        try (Qmp from = Qmp.connect(source.nodeMonitor(), PATIENCE);
                Qmp to = Qmp.connect(destination.nodeMonitor(), PATIENCE)) {
            MachineFacts facts = MachineFacts.of(from);
            assertThat(facts.machineType()).isEqualTo("pc-q35-10.0");
            assertThat(facts.isRunning()).isTrue();
            assertThat(facts.memoryBytes()).isEqualTo(256L << 20);
            assertThat(facts.migrationBlockers()).isEmpty();
            assertThat(facts.devices()).contains(new MachineFacts.Device("d0", "virtio-blk-pci"));
            assertThat(MachineFacts.of(to).status()).isEqualTo("inmigrate");
            try (IncomingMigration incoming =
                            IncomingMigration.listen(to, options, MigrationAddress.tcp("127.0.0.1", 0));
                    OutgoingMigration outgoing = OutgoingMigration.start(from, options, incoming.address())) {
                outgoing.awaitPreSwitchover(PATIENCE);
                assertThat(MachineFacts.of(from).isRunning()).isFalse();
                assertThat(incoming.isLoaded()).isFalse();
                outgoing.goOn();
                incoming.awaitLoaded(PATIENCE);
                JsonNode _ = to.execute("cont");
                MigrationProgress end = outgoing.awaitCompleted(PATIENCE);
                assertThat(end.status()).isEqualTo(MigrationStatus.COMPLETED);
                assertThat(end.totalBytes()).isGreaterThan(256L << 20);
                assertThat(MachineFacts.of(to).isRunning()).isTrue();
                return end;
            }
        }
    }

    @Test
    void cancelledOrFailedTheGuestGoesOnAndTheNextTryStartsClean() throws Exception {
        Path image = image();
        try (Testbed testbed = Testbed.open(Progress.toStandardError());
                MigratingGuest guest = MigratingGuest.start(testbed, spec(image))) {
            awaitBusy(guest);
            Qmp from = guest.current().machine().qmp();
            String before = settings(from);
            Guest destination = guest.startDestination(spec(image).destination());
            Qmp to = destination.machine().qmp();
            // Cancelled while the machine stands still.
            try (IncomingMigration incoming =
                            IncomingMigration.listen(to, options(0), MigrationAddress.unix(folder.resolve("m")));
                    OutgoingMigration outgoing = OutgoingMigration.start(from, options(0), incoming.address())) {
                outgoing.awaitPreSwitchover(PATIENCE);
                assertThat(outgoing.cancel()).isEqualTo(MigrationStatus.CANCELLED);
                assertThatThrownBy(() -> outgoing.awaitCompleted(PATIENCE))
                        .isInstanceOfSatisfying(
                                MigrationException.class,
                                e -> assertThat(e.status()).isEqualTo(MigrationStatus.CANCELLED));
                assertThatThrownBy(() -> incoming.awaitLoaded(PATIENCE))
                        .isInstanceOfSatisfying(
                                MigrationException.class,
                                e -> assertThat(e.reason()).isNotEmpty());
            }
            assertThat(MachineFacts.of(from).isRunning()).isTrue();
            assertThat(settings(from)).isEqualTo(before);
            guest.stayed();

            // Killed while it loads.
            destination = guest.startDestination(spec(image).destination());
            Qmp second = destination.machine().qmp();
            try (IncomingMigration incoming =
                            IncomingMigration.listen(second, options(2), MigrationAddress.tcp("127.0.0.1", 0));
                    OutgoingMigration outgoing = OutgoingMigration.start(from, options(2), incoming.address())) {
                guest.stayed();
                assertThatThrownBy(() -> outgoing.awaitPreSwitchover(PATIENCE))
                        .isInstanceOfSatisfying(
                                MigrationException.class,
                                e -> assertThat(e.status()).isEqualTo(MigrationStatus.FAILED))
                        .satisfies(e -> System.err.println(e.getMessage()));
                assertThatThrownBy(() -> incoming.awaitLoaded(PATIENCE)).isInstanceOf(IOException.class);
            }
            assertThat(MachineFacts.of(from).isRunning()).isTrue();
            assertThat(settings(from)).isEqualTo(before);

            destination = guest.startDestination(spec(image).destination());
            MigrationProgress _ = move(guest.current(), destination, options(0));
            guest.moved();
            guest.send("stop");
            DeviceWrittenReads.Totals totals =
                    DeviceWrittenReads.totals(guest.awaitResult(PATIENCE).lines());
            assertThat(totals.readers()).isOne();
            assertThat(totals.wrongRounds()).as(totals.toString()).isZero();
        }
    }

    private static String settings(Qmp qmp) throws Exception {
        return qmp.execute("query-migrate-capabilities").toString()
                + qmp.execute("query-migrate-parameters").toString();
    }
}
