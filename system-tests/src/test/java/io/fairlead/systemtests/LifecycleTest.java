package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.Qmp;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Machines that come, go, stop, reset and change drivers, on devices that stay. */
@Timeout(900)
class LifecycleTest {
    private static final int DISK_BYTES = 8 << 20;

    /** Fills the disk and reports what it wrote. */
    private static final String FILL = """
            dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
            dd if=/tmp/data of=/dev/vda bs=64k oflag=direct conv=fsync 2>/dev/null || exit 1
            emit "{\\"written\\":\\"$(sha256sum </tmp/data | cut -c1-64)\\"}"
            """;

    private static final String READ = """
            emit "{\\"read\\":\\"$(dd if=/dev/vda bs=64k iflag=direct 2>/dev/null | sha256sum | cut -c1-64)\\"}"
            """;

    @Test
    void twoMachinesAtOnceAndAnotherAfterThem(@TempDir Path folder) throws Exception {
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk first = disks.serveEmpty("first", DISK_BYTES, 1);
            SoftwareDisks.Disk second = disks.serveEmpty("second", DISK_BYTES, 2);
            String firstSum;
            String secondSum;
            try (Guest one = start("one", first, FILL + READ);
                    Guest two = start("two", second, FILL + READ)) {
                firstSum = checked(one);
                secondSum = checked(two);
            }
            assertThat(firstSum).isNotEqualTo(secondSum);
            // Another machine at the socket of the first.
            try (Guest again = start("again", first, READ)) {
                GuestResult result = again.awaitResult(Lab.PATIENCE);
                assertThat(Lab.line(result, "read").path("read").asString()).isEqualTo(firstSum);
            }
            assertThat(first.endpoint().sessionCount()).isEqualTo(2);
            assertThat(second.endpoint().sessionCount()).isEqualTo(1);
            assertThat(RootImage.sha256(Files.readAllBytes(first.image()))).isEqualTo(firstSum);
            assertThat(RootImage.sha256(Files.readAllBytes(second.image()))).isEqualTo(secondSum);
        }
    }

    @Test
    void aMachineThatIsKilledLeavesTheDiskToTheNext(@TempDir Path folder) throws Exception {
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk disk = disks.serveEmpty("disk", DISK_BYTES, 2);
            String endless = """
                    emit '{"at":"writing"}'
                    while :; do dd if=/dev/urandom of=/dev/vda bs=64k oflag=direct 2>/dev/null; done
                    """;
            try (Guest killed = start("killed", disk, endless)) {
                Lab.await(killed, "writing");
                long requests = disk.statistics().requests();
                Awaitility.await()
                        .atMost(Lab.PATIENCE)
                        .until(() -> disk.statistics().requests() > requests + 20);
            }
            try (Guest next = start("next", disk, FILL + READ)) {
                assertThat(checked(next)).isEqualTo(RootImage.sha256(Files.readAllBytes(disk.image())));
            }
            assertThat(disk.statistics().guestFaults()).isZero();
            assertThat(disk.endpoint().sessionCount()).isEqualTo(2);
        }
    }

    private static Guest start(String name, SoftwareDisks.Disk disk, String job) throws Exception {
        return Lab.TESTBED.start(GuestSpec.job(job).name(name).device(disk.forMachine()));
    }

    private static String checked(Guest guest) throws Exception {
        GuestResult result = guest.awaitResult(Lab.PATIENCE);
        assertThat(result.status()).isZero();
        String written = Lab.line(result, "written").path("written").asString();
        assertThat(Lab.line(result, "read").path("read").asString()).isEqualTo(written);
        return written;
    }

    /** The job goes on after each reset by the stage that it noted on its root file system. */
    private static final String STAGES = """
            stage=$(cat /root/stage 2>/dev/null || echo 0)
            sum() { dd if=/dev/$1 bs=64k iflag=direct 2>/dev/null | sha256sum | cut -c1-64; }
            case $stage in
            0)
                dd if=/dev/urandom of=/root/data bs=1M count=8 2>/dev/null
                dd if=/root/data of=/dev/vdb bs=64k oflag=direct conv=fsync 2>/dev/null || exit 1
                sha256sum </root/data | cut -c1-64 >/root/sum
                driver=/sys/bus/virtio/drivers/virtio_blk
                device=$(basename $(readlink -f /sys/block/vdb/device))
                for i in 1 2 3; do
                    while dd if=/dev/vdb of=/dev/null bs=64k iflag=direct 2>/dev/null; do :; done &
                    usleep $((i * 70000))
                    echo $device >$driver/unbind || exit 2
                    wait
                    [ -e /sys/block/vdb ] && exit 3
                    echo $device >$driver/bind || exit 4
                    [ "$(sum vdb)" = "$(cat /root/sum)" ] || exit 5
                done
                emit '{"at":"bound"}'
                (while :; do sum vdb; done >/tmp/sums) &
                reader=$!
                receive >/dev/null
                kill $reader
                emit "{\\"read\\":$(wc -l </tmp/sums),\\"wrong\\":$(grep -v -c -f /root/sum /tmp/sums)}"
                echo 1 >/root/stage
                sync
                emit '{"at":"rebooting"}'
                reboot -f
                sleep 1000
                ;;
            1)
                [ "$(sum vdb)" = "$(cat /root/sum)" ] || exit 6
                echo 2 >/root/stage
                sync
                emit '{"at":"rebooted"}'
                while :; do dd if=/root/data of=/dev/vdb bs=64k oflag=direct 2>/dev/null; done
                ;;
            2)
                [ "$(sum vdb)" = "$(cat /root/sum)" ] || exit 7
                ;;
            esac
            """ + Lab.REPORT_KERNEL_ERRORS;

    @Test
    void oneMachineUnboundStoppedRebootedAndReset(@TempDir Path folder) throws Exception {
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk root = disks.serveRoot("root", 1);
            SoftwareDisks.Disk data = disks.serveEmpty("data", DISK_BYTES, 2);
            GuestSpec spec = GuestSpec.job(STAGES)
                    .name("stages")
                    .boot(GuestSpec.Boot.KERNEL)
                    .processors(2)
                    .device(root.forMachine())
                    .device(data.forMachine().with("packed", "on"));
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Qmp qmp = guest.machine().qmp();
                JsonNode _ = qmp.execute("set-action", Map.of("reboot", "reset"));
                Lab.await(guest, "bound");
                for (int i = 0; i < 10; i++) {
                    JsonNode _ = qmp.execute("stop");
                    long requests = data.statistics().requests();
                    Thread.sleep(100);
                    assertThat(data.statistics().requests())
                            .as("requests while stopped")
                            .isEqualTo(requests);
                    JsonNode _ = qmp.execute("cont");
                    Thread.sleep(30L * i);
                }
                guest.send("go on");
                Lab.await(guest, "rebooted");
                Thread.sleep(200);
                JsonNode _ = qmp.execute("system_reset");
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                Lab.report("stages: %s, %s", result.lines(), data.statistics());
                assertThat(result.status()).isZero();
                assertThat(Lab.line(result, "wrong").path("wrong").asInt(-1)).isZero();
                assertThat(Lab.line(result, "read").path("read").asInt()).isPositive();
                assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                        .isEmpty();
            }
            assertThat(data.endpoint().sessionCount()).isEqualTo(1);
            assertThat(data.statistics().guestFaults()).isZero();
            assertThat(data.statistics().failedRequests()).isZero();
            new RootImage(root.image()).check();
        }
    }
}
