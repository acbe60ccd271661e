package io.fairlead.systemtests;

import static io.fairlead.testbed.GuestSpec.Boot.BIOS;
import static io.fairlead.testbed.GuestSpec.Boot.KERNEL;
import static io.fairlead.testbed.GuestSpec.Boot.UEFI;
import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.QueueStatistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/**
 * A stock guest whose only disk is ours: its firmware or QEMU starts it, it writes, verifies and gives space back, and
 * the host finds in the image what the guest wrote.
 */
@Timeout(600)
class BootTest {
    /** One machine; the ring's layout is what QEMU is told to offer. */
    record Case(QemuRelease release, boolean packed, int queues, int processors, GuestSpec.Boot boot) {}

    private static final String JOB = """
            fail() { emit "{\\"failed\\":\\"$1\\"}"; exit 1; }
            disk=/sys/block/vda
            features=$(cat $disk/device/features)
            emit "{\\"queues\\":$(ls $disk/mq | wc -l),\\"packed\\":$(echo $features | cut -c35),\\"online\\":$(nproc)}"

            # What is written after the removed file is given back lies elsewhere; both must be right on the host.
            dd if=/dev/urandom of=/root/removed bs=1M count=16 2>/dev/null || fail removed
            mkdir /root/tree || fail mkdir
            for i in $(seq 1 24); do
                dd if=/dev/urandom of=/root/tree/f$i bs=3k count=$((i * 9)) 2>/dev/null &
                [ $((i % 6)) = 0 ] && wait
            done
            wait
            sync
            cd /root/tree && sha256sum * >/tmp/sums || fail sums
            rm /root/removed && sync && fstrim -v / >/dev/null || fail fstrim
            echo 3 >/proc/sys/vm/drop_caches
            sha256sum -c /tmp/sums >/dev/null || fail verify
            while read -r sum name; do emit "{\\"file\\":\\"$name\\",\\"sum\\":\\"$sum\\"}"; done </tmp/sums
            """ + Lab.REPORT_KERNEL_ERRORS;

    /** Every value at least once. */
    static List<Case> sample() {
        return List.of(
                new Case(QemuRelease.V10, false, 1, 1, BIOS),
                new Case(QemuRelease.V11, true, 4, 4, UEFI),
                new Case(QemuRelease.V10, true, 1, 4, KERNEL),
                new Case(QemuRelease.V11, false, 4, 1, KERNEL));
    }

    static List<Case> matrix() {
        List<Case> cases = new ArrayList<>();
        for (QemuRelease release : QemuRelease.values()) {
            for (boolean packed : new boolean[] {false, true}) {
                for (GuestSpec.Boot boot : List.of(BIOS, UEFI, KERNEL)) {
                    Stream.of(1, 4)
                            .flatMap(queues -> Stream.of(1, 4)
                                    .map(processors -> new Case(release, packed, queues, processors, boot)))
                            .forEach(cases::add);
                }
            }
        }
        return cases;
    }

    @ParameterizedTest
    @MethodSource("sample")
    void bootsWritesAndVerifies(Case wanted, @TempDir Path folder) throws Exception {
        run(wanted, folder);
    }

    @Tag("long")
    @ParameterizedTest
    @MethodSource("matrix")
    void everyCombination(Case wanted, @TempDir Path folder) throws Exception {
        run(wanted, folder);
    }

    private static void run(Case wanted, Path folder) throws Exception {
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk disk = disks.serveRoot("disk0", wanted.queues());
            RootImage image = new RootImage(disk.image());
            long allocatedBefore = image.allocatedBytes();
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("boot")
                    .release(wanted.release())
                    .boot(wanted.boot())
                    .processors(wanted.processors())
                    .device(disk.forMachine()
                            .with("packed", wanted.packed() ? "on" : "off")
                            .with("bootindex", 1));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            QueueStatistics.Snapshot served = disk.statistics();
            Lab.report(
                    "%s: boot %d ms, total %d ms, %d requests, %d KiB read, %d KiB written, %d kicks, %d signals",
                    wanted,
                    result.bootMillis(),
                    result.totalMillis(),
                    served.requests(),
                    served.readBytes() >> 10,
                    served.writtenBytes() >> 10,
                    served.kicks(),
                    served.signals());
            assertThat(result.status()).as("%s", result.lines()).isZero();
            check(wanted, result, disk);
            checkImage(image, result, folder);
            long grownKib = (image.allocatedBytes() - allocatedBefore) >> 10;
            Lab.report("the image takes %d KiB more than before", grownKib);
            // 8 MiB were written and stayed; the 16 MiB of the removed file were given back.
            assertThat(grownKib).isLessThan(16 << 10);
        }
    }

    private static void check(Case wanted, GuestResult result, SoftwareDisks.Disk disk) {
        JsonNode seen = Lab.line(result, "queues");
        // The driver takes no more queues than the machine has processors.
        assertThat(seen.path("queues").asInt()).isEqualTo(Math.min(wanted.queues(), wanted.processors()));
        assertThat(seen.path("packed").asInt()).isEqualTo(wanted.packed() ? 1 : 0);
        assertThat(seen.path("online").asInt()).isEqualTo(wanted.processors());
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
        assertThat(disk.busyQueues()).isEqualTo(Math.min(wanted.queues(), wanted.processors()));
        assertThat(disk.statistics().failedRequests()).isZero();
        assertThat(disk.statistics().guestFaults()).isZero();
    }

    private static void checkImage(RootImage image, GuestResult result, Path folder) throws Exception {
        image.check();
        Map<String, String> reported = new TreeMap<>();
        result.lines().stream()
                .filter(line -> line.has("file"))
                .forEach(line -> reported.put(
                        line.path("file").asString(), line.path("sum").asString()));
        assertThat(reported).hasSize(24);
        assertThat(image.sums("/root/tree", folder.resolve("copies"))).isEqualTo(reported);
    }
}
