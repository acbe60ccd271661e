package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.scsi.ScsiDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A guest whose only disk is a unit of our SCSI host: its firmware or QEMU starts it, and it works there. */
@Timeout(600)
class ScsiBootTest {
    private static final String JOB = """
            root=$(findmnt -n -o SOURCE / 2>/dev/null || sed -n 's,^\\(/dev/[^ ]*\\) / .*,\\1,p' /proc/mounts)
            dd if=/dev/urandom of=/root/written bs=1M count=8 2>/dev/null
            sum=$(sha256sum </root/written | cut -c1-64)
            sync; echo 3 >/proc/sys/vm/drop_caches
            emit "{\\"root\\":\\"$root\\",\\"sum\\":\\"$sum\\",\\"again\\":\\"$(sha256sum </root/written | cut -c1-64)\\"}"
            """ + Lab.REPORT_KERNEL_ERRORS;

    @ParameterizedTest
    @CsvSource({"KERNEL, V11", "BIOS, V10"})
    void bootsFromAUnit(GuestSpec.Boot boot, QemuRelease release, @TempDir Path folder) throws Exception {
        run(boot, release, folder);
    }

    @Tag("long")
    @ParameterizedTest
    @CsvSource({"KERNEL, V10", "BIOS, V11", "UEFI, V10", "UEFI, V11"})
    void everyOtherWay(GuestSpec.Boot boot, QemuRelease release, @TempDir Path folder) throws Exception {
        run(boot, release, folder);
    }

    private static void run(GuestSpec.Boot boot, QemuRelease release, Path folder) throws Exception {
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            ScsiDevice scsi = (ScsiDevice) devices.serve("s0", "scsi", Map.of("lun0", root.toString()));
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("scsi-boot")
                    .boot(boot)
                    .release(release)
                    .device(VhostUserDevice.scsi("s0", devices.socket("s0"))
                            .with("num_queues", 1)
                            .with("bootindex", 1));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            Lab.report("boot %d ms: %s", result.bootMillis(), result.lines());
            assertThat(result.status()).as("%s", result.lines()).isZero();
            assertThat(Lab.line(result, "root").path("root").asString()).startsWith("/dev/sda");
            String sum = Lab.line(result, "root").path("sum").asString();
            assertThat(sum)
                    .hasSize(64)
                    .isEqualTo(Lab.line(result, "root").path("again").asString());
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(scsi.statistics().total().failedRequests()).isZero();
            RootImage image = new RootImage(root);
            image.check();
            assertThat(image.sums("/root", folder.resolve("copies"))).containsEntry("written", sum);
        }
    }
}
