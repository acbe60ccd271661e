package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.scsi.LunSettings;
import io.fairlead.devices.scsi.ScsiDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

/** A stock guest uses our SCSI host: disks, the sg3_utils, units that come, grow and go. */
@Timeout(600)
class ScsiTest {
    private static final long MIB = 1L << 20;

    /** Which block device is which unit. */
    private static final String NAMES = """
            modprobe sd_mod
            await() { for i in $(seq 300); do eval "$1" && return 0; sleep 0.1; done; return 1; }
            await '[ "$(ls -d /sys/class/scsi_device/*/device/block/* | wc -l)" = 3 ]' || emit '{"missing":true}'
            disk() { basename $(ls -d /sys/class/scsi_device/*:0:0:$1/device/block/*); }
            """;

    private static final String TOOLS = """
            run() { name=$1; shift; "$@" >/tmp/out 2>&1; status=$?
                emit "{\\"tool\\":\\"$name\\",\\"status\\":$status,\\"out\\":\\"$(tr -d '"\\\\\\\\' </tmp/out | tr '\\n\\t' '; ')\\"}"; }
            d=/dev/$(disk 0)
            run inq sg_inq $d
            run serial sg_vpd -p sn $d
            run id sg_vpd -p di $d
            run limits sg_vpd -p bl $d
            run provisioning sg_vpd -p lbpv $d
            run capacity sg_readcap -l $d
            run luns sg_luns $d
            run modes sg_modes -a $d
            run opcodes sg_opcodes $d
            run verify sg_verify -l 0 -c 128 $d
            run sync sg_sync $d
            run register sg_persist --out --register --param-sark=0xabc $d
            run reserve sg_persist --out --reserve --param-rk=0xabc --prout-type=5 $d
            run keys sg_persist --in --read-keys $d
            run held sg_persist --in --read-reservation $d
            run status sg_persist --in --read-full-status $d
            run release sg_persist --out --release --param-rk=0xabc --prout-type=5 $d
            run clear sg_persist --out --clear --param-rk=0xabc $d
            dd if=/dev/urandom of=$d bs=1M count=1 oflag=direct 2>/dev/null
            run unmap sg_unmap -l 0 -n 256 -f $d
            run same sg_write_same -l 256 -n 256 -i /dev/zero --xferlen=512 $d
            run zeros cmp -n 262144 $d /dev/zero
            run reset sg_reset -d $d
            run after sg_turs $d
            """;

    private static final String DISKS = """
            cache=$(cat /sys/class/scsi_disk/*:0:0:0/cache_type)
            mode=$(cat /sys/class/scsi_disk/*:0:0:0/provisioning_mode)
            emit "{\\"cache\\":\\"$cache\\",\\"provisioning\\":\\"$mode\\",\\"ro\\":$(cat /sys/block/$(disk 2)/ro)}"
            d=/dev/$(disk 0)
            mkdir -p /tmp/m; /usr/bin/mke2fs -q -F -t ext4 $d && mount -t ext4 $d /tmp/m && dd if=/dev/urandom of=/tmp/m/a bs=1M count=8 2>/dev/null
            before=$(sha256sum </tmp/m/a); umount /tmp/m; e2fsck -fn $d >/dev/null 2>&1; check=$?
            mount -t ext4 $d /tmp/m; after=$(sha256sum </tmp/m/a); umount /tmp/m
            [ -n "$before" ] && [ "$before" = "$after" ] && same=true || same=false
            emit "{\\"ext4\\":$same,\\"e2fsck\\":$check}"
            fio --name=verify --filename=/dev/$(disk 1) --rw=randwrite --bsrange=512-128k --size=32m --direct=1 \\
                --ioengine=libaio --iodepth=32 --verify=crc32c --verify_fatal=1 --verify_backlog=256 >/tmp/fio 2>&1
            emit "{\\"fio\\":$?}"
            blkdiscard /dev/$(disk 1); status=$?
            cmp -n 33554432 /dev/$(disk 1) /dev/zero >/dev/null 2>&1 && zero=true || zero=false
            emit "{\\"discard\\":$status,\\"discarded\\":$zero}"
            /usr/bin/blkdiscard -z -l 1048576 /dev/$(disk 1)
            emit "{\\"zeroout\\":$?}"
            """;

    private static final String CHANGES = """
            emit '{"at":"grow"}'
            await '[ "$(cat /sys/block/$(disk 1)/size)" = 131072 ]'
            emit "{\\"at\\":\\"add\\",\\"grown\\":$?}"
            await '[ -d /sys/class/scsi_device/*:0:0:17084/device/block ]'
            added=$?
            dd if=/dev/urandom of=/dev/$(disk 17084) bs=1M count=4 oflag=direct 2>/dev/null
            emit "{\\"at\\":\\"remove\\",\\"added\\":$added,\\"written\\":$?}"
            await '! ls -d /sys/class/scsi_device/*:0:0:17084 >/dev/null 2>&1'
            emit "{\\"removed\\":$?}"
            """;

    @ParameterizedTest
    @EnumSource
    void aGuestUsesItsUnits(QemuRelease release, @TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            Path first = SoftwareDisks.emptyImage(folder.resolve("first.img"), 64 * MIB);
            Path second = SoftwareDisks.emptyImage(folder.resolve("second.img"), 32 * MIB);
            Path third = SoftwareDisks.emptyImage(folder.resolve("third.img"), MIB);
            Path root = folder.resolve("root.img");
            Lab.TESTBED.copyRootImage(root);
            Path late = SoftwareDisks.emptyImage(folder.resolve("late.img"), 8 * MIB);
            ScsiDevice scsi = (ScsiDevice) devices.serve(
                    "s0",
                    "scsi",
                    Map.of(
                            "queues",
                            "2",
                            "lun0",
                            first.toString(),
                            "lun0.serial",
                            "FIRST",
                            "lun1",
                            second.toString(),
                            "lun2",
                            third.toString(),
                            "lun2.read-only",
                            "on"));
            GuestSpec spec = GuestSpec.job(NAMES + DISKS + TOOLS + CHANGES + Lab.REPORT_KERNEL_ERRORS)
                    .name("scsi")
                    .boot(GuestSpec.Boot.KERNEL)
                    .disk("root", root, 0)
                    .processors(2)
                    .release(release)
                    .device(VhostUserDevice.scsi("s0", devices.socket("s0")).with("num_queues", 2));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "grow");
                scsi.units().resize(1, 64 * MIB);
                Lab.await(guest, "add");
                // Linux counts units from 256 on by their flat address: 16384 + 700.
                scsi.units().add(LunSettings.of(700, late));
                Lab.await(guest, "remove");
                scsi.units().remove(700).toCompletableFuture().get(20, TimeUnit.SECONDS);
                result = guest.awaitResult(Lab.PATIENCE);
            }
            checkDisks(result);
            checkTools(result);
            assertThat(Lab.line(result, "grown").path("grown").asInt()).isZero();
            assertThat(Lab.line(result, "added").path("added").asInt()).isZero();
            assertThat(Lab.line(result, "written").path("written").asInt()).isZero();
            assertThat(Lab.line(result, "removed").path("removed").asInt()).isZero();
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(scsi.statistics().total().failedRequests()).isZero();
        }
    }

    private static void checkDisks(GuestResult result) {
        JsonNode kind = Lab.line(result, "provisioning");
        assertThat(kind.path("cache").asString()).isEqualTo("write back");
        assertThat(kind.path("provisioning").asString()).isEqualTo("unmap");
        assertThat(kind.path("ro").asInt()).isEqualTo(1);
        assertThat(Lab.line(result, "ext4").path("ext4").asBoolean()).isTrue();
        assertThat(Lab.line(result, "ext4").path("e2fsck").asInt()).isZero();
        assertThat(Lab.line(result, "fio").path("fio").asInt()).isZero();
        assertThat(Lab.line(result, "discard").path("discard").asInt()).isZero();
        assertThat(Lab.line(result, "discard").path("discarded").asBoolean()).isTrue();
        assertThat(Lab.line(result, "zeroout").path("zeroout").asInt()).isZero();
    }

    private static void checkTools(GuestResult result) {
        for (JsonNode line : result.lines()) {
            if (line.has("tool")) {
                assertThat(line.path("status").asInt()).as("%s", line).isZero();
            }
        }
        assertThat(output(result, "inq")).contains("FAIRLEAD", "SCSI DISK");
        assertThat(output(result, "serial")).contains("FIRST");
        assertThat(output(result, "id"))
                .contains("vendor id: FAIRLEAD", "vendor specific: FIRST", "designator type: NAA");
        assertThat(output(result, "limits")).contains("Maximum unmap LBA count: 0x400000");
        assertThat(output(result, "provisioning")).contains("LBPU=1", "LBPWS=1", "LBPRZ=0x1");
        assertThat(output(result, "capacity")).contains("Number of logical blocks=131072", "lbpme=1");
        assertThat(output(result, "luns")).contains("0000000000000000", "0001000000000000", "0002000000000000");
        assertThat(output(result, "modes")).contains("Caching", "Control");
        assertThat(output(result, "opcodes"))
                .contains("Write same(16)", "Unmap", "Persistent reserve in, read full status");
        assertThat(output(result, "keys")).contains("1 registered reservation key", "0xabc");
        assertThat(output(result, "held")).contains("Write Exclusive, registrants only");
        assertThat(output(result, "status")).contains("Key=0xabc", "Reservation holder");
    }

    private static String output(GuestResult result, String tool) {
        return result.lines().stream()
                .filter(line -> line.path("tool").asString("").equals(tool))
                .map(line -> line.path("out").asString())
                .findFirst()
                .orElseThrow();
    }
}
