package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.scsi.ScsiDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.QemuRelease;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

/** A guest that reads and writes two units of our SCSI host all the time moves to another one, by QEMU alone. */
@Timeout(600)
class ScsiMigrationTest {

    private static final long WRITTEN_BYTES = 24L << 20;

    private static GuestSpec with(SoftwareDevices devices, String device, GuestSpec spec) {
        return spec.device(VhostUserDevice.scsi("s0", devices.socket(device)).with("num_queues", 2));
    }

    @ParameterizedTest
    @EnumSource
    void nothingIsLostWhereQemuAloneMovesTheGuest(QemuRelease release, @TempDir Path folder) throws Exception {
        byte[] content = new byte[ScsiLoad.READ_BYTES];
        new Random(6).nextBytes(content);
        Path read = Files.write(folder.resolve("read.img"), content);
        Path written = SoftwareDisks.emptyImage(folder.resolve("written.img"), WRITTEN_BYTES);
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        GuestSpec spec = GuestSpec.job(ScsiLoad.JOB)
                .name("scsi-moves")
                .release(release)
                .boot(GuestSpec.Boot.KERNEL)
                .processors(2)
                .disk("root", root, 0);
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            Map<String, String> units = Map.of(
                    "queues", "2",
                    "lun0", read.toString(),
                    "lun0.locked", "off",
                    "lun0.serial", "READ",
                    "lun1", written.toString(),
                    "lun1.locked", "off",
                    "lun1.serial", "WRITTEN");
            ScsiDevice here = (ScsiDevice) devices.serve("here", "scsi", units);
            ScsiDevice there = (ScsiDevice) devices.serve("there", "scsi", units);
            GuestResult result;
            try (MigratingGuest guest = MigratingGuest.start(Lab.TESTBED, with(devices, "here", spec))) {
                Lab.await(guest.current(), "busy");
                JsonNode before = ScsiLoad.ask(guest, "before");
                assertThat(before.path("keys").asString()).contains("0xabc");
                assertThat(before.path("held").asString()).contains("Write Exclusive, registrants only");
                busy(here);
                long _ = PlainMove.move(guest, with(devices, "there", spec.destination()), folder);
                busy(there);
                // QEMU has no place for what the host keeps: the initiator is told that the host was switched on.
                JsonNode after = ScsiLoad.ask(guest, "after");
                assertThat(after.path("powerOns").asInt())
                        .isGreaterThan(before.path("powerOns").asInt());
                assertThat(after.path("keys").asString())
                        .contains("NO registered")
                        .doesNotContain("0xabc");
                busy(there);
                guest.send("end");
                result = guest.awaitResult(Lab.PATIENCE);
            }
            ScsiLoad.check(result);
            for (ScsiDevice device : List.of(here, there)) {
                assertThat(device.statistics().total().guestFaults()).isZero();
                assertThat(device.statistics().total().failedRequests()).isZero();
            }
        }
    }

    private static void busy(ScsiDevice device) {
        long before = device.statistics().total().requests();
        Awaitility.await()
                .atMost(Lab.PATIENCE)
                .until(() -> device.statistics().total().requests() > before + 300);
    }
}
