package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.VdpaDevice;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

/**
 * A guest is stopped and goes on, by its monitor, while it has a file of ours open, locked and written to, and others that it
 * makes and removes: QEMU stops the rings and starts them again, and does not reset the device.
 */
@Timeout(600)
class FsPauseTest {
    private static final int PAUSES = 10;

    private static final String JOB = FsHolder.START + """
            mkdir files
            (
                wrong=0
                rounds=0
                while [ ! -e /tmp/stop ]; do
                    rounds=$((rounds + 1))
                    echo $rounds >files/a && mv files/a files/b && [ "$(cat files/b)" = $rounds ] && rm files/b ||
                        wrong=$((wrong + 1))
                done
                emit "{\\"rounds\\":$rounds,\\"wrong\\":$wrong}"
            ) &
            files=$!
            emit '{"at":"held"}'
            receive >/dev/null
            touch /tmp/stop
            wait $files
            """ + FsHolder.END + """
            cd / && umount /mnt/home && emit '{"unmounted":"yes"}'
            """ + Lab.REPORT_KERNEL_ERRORS;

    @ParameterizedTest
    @EnumSource
    void aGuestGoesOnWhereItWasStopped(QemuRelease release, @TempDir Path folder) throws Exception {
        Path export = Files.createDirectory(folder.resolve("export"));
        GuestProgram.build("fs-holder", export.resolve("fs-holder"));
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            VdpaDevice device =
                    devices.serve("home", "fs", Map.of("path", export.toString(), "tag", "home", "cache", "never"));
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("fs-pauses")
                    .release(release)
                    .device(VhostUserDevice.fs("fs0", devices.socket("home"), "home"));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "held");
                Qmp qmp = guest.machine().qmp();
                for (int i = 0; i < PAUSES; i++) {
                    long before = requests(device);
                    Awaitility.await().until(() -> requests(device) > before);
                    JsonNode _ = qmp.execute("stop");
                    assertThat(device.queueReady(1)).as("its ring runs").isFalse();
                    assertThat(isLocked(export)).as("locked for the host, too").isTrue();
                    long stopped = requests(device);
                    JsonNode _ = qmp.execute("query-status");
                    assertThat(requests(device)).as("requests while it stands").isEqualTo(stopped);
                    JsonNode _ = qmp.execute("cont");
                }
                guest.send("end");
                result = guest.awaitResult(Lab.PATIENCE);
            }
            Lab.report("%s", result.lines());
            assertThat(Lab.line(result, "rounds").path("rounds").asInt()).isPositive();
            assertThat(Lab.line(result, "rounds").path("wrong").asInt(-1)).isZero();
            assertThat(Lab.line(result, "status").path("status").asInt(-1)).isZero();
            assertThat(Lab.line(result, "status").path("said").asString()).endsWith("errors 0");
            assertThat(Lab.line(result, "unmounted").path("unmounted").asString())
                    .isEqualTo("yes");
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(isLocked(export)).isFalse();
        }
    }

    private static long requests(VdpaDevice device) {
        DeviceStatistics statistics = device.statistics();
        return statistics.total().requests();
    }

    private static boolean isLocked(Path export) throws Exception {
        try (Fd host = FileIo.open(export.resolve("held"), FileIo.O_RDWR, 0)) {
            return FileIo.setLock(host.raw(), FileIo.F_WRLCK, 0, 8) == -Errno.EAGAIN;
        }
    }
}
