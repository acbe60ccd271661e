package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.VdpaDevice;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A stock guest takes its random numbers from our entropy device. */
@Timeout(300)
class RngTest {
    private static final int BYTES = 1 << 20;

    private static final String JOB = """
            emit "{\\"current\\":\\"$(cat /sys/class/misc/hw_random/rng_current)\\"}"
            dd if=/dev/hwrng of=/tmp/random bs=64k count=%d iflag=fullblock 2>/dev/null
            emit "{\\"bytes\\":$(wc -c </tmp/random),\\"compressed\\":$(gzip -c /tmp/random | wc -c)}"
            """.formatted(BYTES >> 16) + Lab.REPORT_KERNEL_ERRORS;

    @ParameterizedTest
    @EnumSource
    void aGuestReadsFromIt(QemuRelease release, @TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            VdpaDevice rng = devices.serve("rng0", "rng", Map.of());
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("rng")
                    .release(release)
                    .device(VhostUserDevice.of("rng0", "vhost-user-rng-pci", devices.socket("rng0")));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            assertThat(Lab.line(result, "current").path("current").asString()).startsWith("virtio_rng");
            assertThat(Lab.line(result, "bytes").path("bytes").asInt()).isEqualTo(BYTES);
            assertThat(Lab.line(result, "bytes").path("compressed").asInt()).isGreaterThan(BYTES);
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(rng.statistics().total().readBytes()).isGreaterThanOrEqualTo(BYTES);
        }
    }
}
