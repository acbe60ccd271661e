package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

/** What a guest sees of a disk: its serial number, blocks, queues, that it may not be written, and that it grows. */
@Timeout(600)
class VisibilityTest {
    private static final int FIXED_BYTES = 4 << 20;
    private static final long SMALL_BYTES = 8 << 20;
    private static final long LARGE_BYTES = 24 << 20;
    private static final int MARK_OFFSET = 20 << 20;

    private static final String JOB = """
            show() {
                q=/sys/block/$1/queue
                emit "{\\"disk\\":\\"$1\\",\\"serial\\":\\"$(cat /sys/block/$1/serial)\\",\\"ro\\":$(cat /sys/block/$1/ro),\
            \\"logical\\":$(cat $q/logical_block_size),\\"physical\\":$(cat $q/physical_block_size),\
            \\"minimum\\":$(cat $q/minimum_io_size),\\"queues\\":$(ls /sys/block/$1/mq | wc -l),\
            \\"discard\\":$(cat $q/discard_max_bytes),\\"zeroes\\":$(cat $q/write_zeroes_max_bytes),\
            \\"cache\\":\\"$(cat $q/write_cache)\\",\\"sectors\\":$(cat /sys/block/$1/size)}"
            }
            show vda
            show vdb
            emit "{\\"sum\\":\\"$(dd if=/dev/vda bs=64k iflag=direct 2>/dev/null | sha256sum | cut -c1-64)\\"}"
            dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct 2>/dev/null
            refused=$?
            # Past the block layer's own refusal.
            blockdev --setrw /dev/vda 2>/dev/null
            dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct 2>/dev/null
            emit "{\\"refused\\":$refused,\\"refusedAgain\\":$?}"
            emit '{"at":"resize"}'
            tries=0
            while [ "$(cat /sys/block/vdb/size)" = 16384 ] && [ $tries -lt 600 ]; do
                usleep 100000
                tries=$((tries + 1))
            done
            emit "{\\"grown\\":$(cat /sys/block/vdb/size)}"
            printf 'beyond the old end' | dd of=/dev/vdb bs=1M seek=20 conv=fsync 2>/dev/null || exit 1
            """ + Lab.REPORT_KERNEL_ERRORS;

    @ParameterizedTest
    @EnumSource
    void guestSeesTheDiskAsItIs(QemuRelease release, @TempDir Path folder) throws Exception {
        byte[] content = new byte[FIXED_BYTES];
        new Random(3).nextBytes(content);
        Path fixedImage = Files.write(folder.resolve("fixed.img"), content);
        Path growingImage = SoftwareDisks.emptyImage(folder.resolve("growing.img"), SMALL_BYTES);
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk fixed = disks.serve(
                    "fixed",
                    BlkSettings.of(fixedImage)
                            .withReadOnly(true)
                            .withSerial("FAIRLEAD-READ-ONLY-1")
                            .withBlockSizeBytes(4096));
            SoftwareDisks.Disk growing = disks.serve(
                    "growing",
                    BlkSettings.of(growingImage).withSerial("growing").withQueueCount(2));
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("see")
                    .release(release)
                    .processors(2)
                    .device(fixed.forMachine())
                    .device(growing.forMachine());
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "resize");
                growing.device().resize(LARGE_BYTES);
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                Lab.report("%s: %s", release, result.lines());
                assertThat(result.status()).isZero();
                checkFixed(seen(result, "vda"));
                checkGrowing(seen(result, "vdb"));
                assertThat(Lab.line(result, "sum").path("sum").asString()).isEqualTo(RootImage.sha256(content));
                assertThat(Lab.line(result, "refused").path("refused").asInt()).isNotZero();
                assertThat(Lab.line(result, "refused").path("refusedAgain").asInt())
                        .isNotZero();
                assertThat(Lab.line(result, "grown").path("grown").asLong()).isEqualTo(LARGE_BYTES / 512);
            }
            assertThat(fixed.statistics().writtenBytes()).isZero();
        }
        assertThat(Files.readAllBytes(fixedImage)).isEqualTo(content);
        byte[] mark = "beyond the old end".getBytes(StandardCharsets.US_ASCII);
        byte[] found = new byte[mark.length];
        try (RandomAccessFile file = new RandomAccessFile(growingImage.toFile(), "r")) {
            assertThat(file.length()).isEqualTo(LARGE_BYTES);
            file.seek(MARK_OFFSET);
            file.readFully(found);
        }
        assertThat(Arrays.equals(found, mark)).isTrue();
    }

    private static JsonNode seen(GuestResult result, String disk) {
        return result.lines().stream()
                .filter(line -> line.path("disk").asString("").equals(disk))
                .findFirst()
                .orElseThrow();
    }

    private static void checkFixed(JsonNode fixed) {
        assertThat(fixed.path("serial").asString()).isEqualTo("FAIRLEAD-READ-ONLY-1");
        assertThat(fixed.path("ro").asInt()).isEqualTo(1);
        assertThat(fixed.path("logical").asInt()).isEqualTo(4096);
        assertThat(fixed.path("physical").asInt()).isEqualTo(4096);
        assertThat(fixed.path("queues").asInt()).isEqualTo(1);
        assertThat(fixed.path("discard").asLong()).isZero();
        assertThat(fixed.path("sectors").asLong()).isEqualTo(FIXED_BYTES / 512);
    }

    private static void checkGrowing(JsonNode growing) {
        assertThat(growing.path("serial").asString()).isEqualTo("growing");
        assertThat(growing.path("ro").asInt()).isZero();
        assertThat(growing.path("logical").asInt()).isEqualTo(512);
        assertThat(growing.path("physical").asInt()).isEqualTo(4096);
        assertThat(growing.path("minimum").asInt()).isEqualTo(4096);
        assertThat(growing.path("queues").asInt()).isEqualTo(2);
        assertThat(growing.path("discard").asLong()).isPositive();
        assertThat(growing.path("zeroes").asLong()).isPositive();
        assertThat(growing.path("cache").asString()).isEqualTo("write back");
        assertThat(growing.path("sectors").asLong()).isEqualTo(SMALL_BYTES / 512);
    }
}
