package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.vdpa.QueueStatistics;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Every block of a disk written and verified by a guest, and verified again in the image by the host. */
@Timeout(1800)
class FioTest {
    private static final int DISK_MIB = 32;

    @Test
    void everyBlockHoldsWhatWasWritten(@TempDir Path folder) throws Exception {
        FioJob last = new FioJob("io_uring", 4, DISK_MIB / 4, "4k-64k", 8, 8);
        Path image = run(folder, List.of(new FioJob("libaio", 1, DISK_MIB, "512-128k", 32, 7), last));
        last.checkImage(image);
        checkThatACorruptedByteIsFound(last, image);
    }

    @Test
    @Tag("long")
    void tenMinutesOfRandomSizesAndDepths(@TempDir Path folder) throws Exception {
        long seed = 20260101;
        Lab.report("seed %d", seed);
        Random random = new Random(seed);
        long end = System.nanoTime() + Duration.ofMinutes(10).toNanos();
        while (System.nanoTime() < end) {
            List<FioJob> jobs = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                int parallel = 1 << random.nextInt(3);
                jobs.add(new FioJob(
                        random.nextBoolean() ? "libaio" : "io_uring",
                        parallel,
                        2 * DISK_MIB / parallel,
                        "4k-" + (4 << random.nextInt(8)) + "k",
                        1 + random.nextInt(64),
                        random.nextInt(1 << 30)));
            }
            run(folder, jobs);
        }
    }

    /**
     * Runs the jobs, on the buffered and on the direct disk by turns. The guest verifies what it wrote; after each job
     * the disk as the guest reads it is the image as the host reads it.
     *
     * @return the image of the last job
     */
    private static Path run(Path folder, List<FioJob> jobs) throws Exception {
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk root = disks.serveRoot("root", 1);
            int regionMib = jobs.stream()
                    .mapToInt(job -> job.jobs() * job.regionMib())
                    .max()
                    .orElseThrow();
            long byteCount = (long) regionMib << 20;
            SoftwareDisks.Disk buffered = disks.serveEmpty("buffered", byteCount, 4);
            Path image = SoftwareDisks.emptyImage(folder.resolve("direct.img"), byteCount);
            boolean knowsDirectIo = SoftwareDisks.knowsDirectIo(image);
            Lab.report("direct %s", knowsDirectIo);
            SoftwareDisks.Disk direct = disks.serve(
                    "direct", BlkSettings.of(image).withDirect(knowsDirectIo).withQueueCount(4));
            List<SoftwareDisks.Disk> targets = List.of(buffered, direct);
            StringBuilder script = new StringBuilder();
            for (int i = 0; i < jobs.size(); i++) {
                String disk = i % 2 == 0 ? "/dev/vdb" : "/dev/vdc";
                // The host looks at the image between two jobs.
                script.append("""
                        if ! %s >/tmp/out 2>&1; then
                            emit "{\\"at\\":\\"failed %d\\",\\"fio\\":\\"$(tail -n 8 /tmp/out | tr -d '"\\\\\\\\' | tr '\\n' ';')\\"}"
                            exit 1
                        fi
                        sync
                        emit "{\\"at\\":\\"done %d\\",\\"sha256\\":\\"$(dd if=%s bs=1M iflag=direct | sha256sum | cut -c 1-64)\\"}"
                        receive >/dev/null
                        """.formatted(jobs.get(i).guestCommand(disk), i, i, disk));
            }
            GuestSpec spec = GuestSpec.job(script + Lab.REPORT_KERNEL_ERRORS)
                    .name("fio")
                    .boot(GuestSpec.Boot.KERNEL)
                    .processors(2)
                    .device(root.forMachine())
                    .device(buffered.forMachine().with("packed", "on"))
                    .device(direct.forMachine());
            try (Guest guest = Lab.TESTBED.start(spec)) {
                guest.awaitBoot();
                for (int i = 0; i < jobs.size(); i++) {
                    String done = "done " + i;
                    String failed = "failed " + i;
                    long start = System.nanoTime();
                    JsonNode line = guest.awaitLine(Lab.at(done).or(Lab.at(failed)), Duration.ofMinutes(8));
                    assertThat(line.path("at").asString())
                            .as("%s: %s", jobs.get(i), guest.lines())
                            .isEqualTo(done);
                    Lab.report("%s: %d ms", jobs.get(i), (System.nanoTime() - start) / 1_000_000);
                    assertThat(line.path("sha256").asString())
                            .as("what the guest reads after %s", jobs.get(i))
                            .isEqualTo(sha256(targets.get(i % 2).image()));
                    guest.send("next");
                }
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                assertThat(result.status()).isZero();
                assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                        .isEmpty();
            }
            for (int i = 0; i < 2; i++) {
                SoftwareDisks.Disk disk = targets.get(i);
                QueueStatistics.Snapshot served = disk.statistics();
                Lab.report("%s: %s, queues used: %d", disk.device().name(), served, disk.busyQueues());
                assertThat(served.failedRequests()).isZero();
                assertThat(disk.busyQueues()).isEqualTo(2);
                int parity = i;
                assertThat(served.writtenBytes())
                        .isGreaterThanOrEqualTo(IntStream.range(0, jobs.size())
                                .filter(job -> job % 2 == parity)
                                .mapToLong(job -> jobs.get(job).byteCount())
                                .sum());
            }
            return targets.get((jobs.size() - 1) % 2).image();
        }
    }

    private static String sha256(Path image) throws IOException, NoSuchAlgorithmException {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (InputStream in = new DigestInputStream(Files.newInputStream(image), digest)) {
            in.transferTo(OutputStream.nullOutputStream());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /** The verification on the host can fail. One byte in each of many blocks: with sizes at random fio may leave one out. */
    private static void checkThatACorruptedByteIsFound(FioJob job, Path image) throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            for (int i = 0; i < 64; i++) {
                long at = file.length() / 128 * (2 * i + 1) + 2000;
                file.seek(at);
                int old = file.read();
                file.seek(at);
                file.write(old ^ 1);
            }
        }
        assertThatThrownBy(() -> job.checkImage(image)).isInstanceOf(AssertionError.class);
    }
}
