package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.QemuRelease;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** QEMU's own migration of a guest that has a file of ours open, locked and written to, from one device to another. */
@Timeout(600)
class FsMigrationTest {
    private static final String JOB = FsHolder.START + """
            emit '{"at":"held"}'
            receive >/dev/null
            """ + FsHolder.END + """
            echo after >after.txt
            cd / && umount /mnt/home && emit '{"unmounted":"yes"}'
            """ + Lab.REPORT_KERNEL_ERRORS;

    private static GuestSpec with(SoftwareDevices devices, String device, GuestSpec spec) {
        return spec.device(VhostUserDevice.fs("fs0", devices.socket(device), "home"));
    }

    @ParameterizedTest
    @EnumSource
    void aFileIsHeldOpenLockedAndWrittenWhileItsGuestMoves(QemuRelease release, @TempDir Path folder) throws Exception {
        Path export = Files.createDirectory(folder.resolve("export"));
        GuestProgram.build("fs-holder", export.resolve("fs-holder"));
        GuestSpec spec = GuestSpec.job(JOB).name("fs-moves").release(release);
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            for (String name : new String[] {"here", "there"}) {
                var _ = devices.serve(name, "fs", Map.of("path", export.toString(), "tag", "home"));
            }
            GuestSpec destination = with(devices, "there", spec.destination());
            GuestResult result;
            try (MigratingGuest guest = MigratingGuest.start(Lab.TESTBED, with(devices, "here", spec))) {
                Lab.await(guest.current(), "held");
                assertLocked(export);
                long _ = PlainMove.move(guest, destination, folder);
                awaitLocked(export);
                guest.send("end");
                result = guest.awaitResult(Lab.PATIENCE);
            }
            Lab.report("%s", result.lines());
            assertThat(Lab.line(result, "status").path("said").asString()).endsWith("errors 0");
            assertThat(Lab.line(result, "status").path("status").asInt()).isZero();
            assertThat(Lab.line(result, "unmounted").path("unmounted").asString())
                    .isEqualTo("yes");
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(export.resolve("after.txt")).hasContent("after\n");
        }
    }

    private static boolean isLocked(Path export) throws Exception {
        try (Fd host = FileIo.open(export.resolve("held"), FileIo.O_RDWR, 0)) {
            return FileIo.setLock(host.raw(), FileIo.F_WRLCK, 0, 8) == -Errno.EAGAIN;
        }
    }

    private static void assertLocked(Path export) throws Exception {
        assertThat(isLocked(export)).as("locked for the host, too").isTrue();
    }

    /** The source has let go by now; the destination takes the lock at the host within moments. */
    private static void awaitLocked(Path export) {
        Awaitility.await().until(() -> isLocked(export));
    }
}
