package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.Qmp;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A machine that is reset again and again in the middle of its I/O, by firmware, boot loader and kernel alike, while
 * another client of the same process goes on and finds each block as it should be.
 */
@Timeout(1800)
class ResetTest {
    private static final int OTHER_BLOCKS = 2048;
    private static final long SEED = 99;

    /** Writes until it is told to stop, or until the reset. */
    private static final String JOB = """
            emit '{"at":"up"}'
            (until [ -e /tmp/end ]; do
                dd if=/dev/urandom of=/root/load bs=256k count=16 conv=fsync 2>/dev/null
                echo 3 >/proc/sys/vm/drop_caches
                cat /usr/bin/* >/dev/null 2>&1
            done) &
            receive >/dev/null
            # Not killed: a writer that outlives the job keeps the file system from being left clean.
            touch /tmp/end
            wait
            """;

    @Test
    void resetInTheMiddleOfIo(@TempDir Path folder) throws Exception {
        run(5, folder);
    }

    @Test
    @Tag("long")
    void resetInTheMiddleOfIoAgainAndAgain(@TempDir Path folder) throws Exception {
        run(40, folder);
    }

    private static void run(int resets, Path folder) throws Exception {
        Lab.report("seed %d", SEED);
        Random random = new Random(SEED);
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk disk = disks.serveRoot("reset", 2);
            SoftwareDisks.Disk other = disks.serveEmpty("other", OTHER_BLOCKS * 4096L, 1);
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("reset")
                    .boot(GuestSpec.Boot.BIOS)
                    .processors(2)
                    .device(disk.forMachine().with("bootindex", 1));
            try (Guest guest = Lab.TESTBED.start(spec);
                    VerifiedLoad load =
                            new VerifiedLoad(Lab.blkio(), other.endpoint().path(), OTHER_BLOCKS)) {
                Qmp qmp = guest.machine().qmp();
                JsonNode _ = qmp.execute("set-action", Map.of("reboot", "reset"));
                int boots = 0;
                for (int i = 0; i < resets; i++) {
                    // The first reset hits the kernel's I/O, and each fourth; the others mostly the firmware's.
                    if (i % 4 == 0) {
                        boots++;
                        awaitBoots(guest, boots);
                        Thread.sleep(random.nextInt(1500));
                    } else {
                        awaitRequests(disk, 1 + random.nextInt(400));
                    }
                    JsonNode _ = qmp.execute("system_reset");
                    boots = boots(guest);
                }
                awaitBoots(guest, boots + 1);
                guest.send("end");
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                assertThat(result.status()).isZero();
                long verified = load.stop();
                Lab.report(
                        "%d resets, %d boots, %s; the other disk meanwhile: %d blocks verified",
                        resets, boots + 1, disk.statistics(), verified);
                assertThat(verified).isPositive();
            }
            assertThat(disk.statistics().guestFaults()).isZero();
            assertThat(disk.statistics().failedRequests()).isZero();
            assertThat(other.statistics().failedRequests()).isZero();
            assertThat(disk.endpoint().sessionCount()).isEqualTo(1);
            new RootImage(disk.image()).check();
        }
    }

    private static int boots(Guest guest) {
        return (int) guest.lines().stream().filter(Lab.at("up")).count();
    }

    private static void awaitBoots(Guest guest, int count) throws InterruptedException {
        awaitThat(() -> boots(guest) >= count, "boot " + count);
    }

    /** Waits until the disk has served so many more requests. */
    private static void awaitRequests(SoftwareDisks.Disk disk, int more) throws InterruptedException {
        long wanted = disk.statistics().requests() + more;
        awaitThat(() -> disk.statistics().requests() >= wanted, more + " more requests");
    }

    private static void awaitThat(BooleanSupplier condition, String what) throws InterruptedException {
        long end = System.nanoTime() + Lab.PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(end);
            Thread.sleep(5);
        }
    }
}
