package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.MigratingGuest;
import java.util.function.Predicate;
import tools.jackson.databind.JsonNode;

/**
 * What a guest does with two units of a SCSI host while it moves: it reads unit 0 into buffers that only the device writes
 * and compares, it writes unit 1 at random with fio and reads that back; and unit 1 is reserved and has its write cache
 * switched off. It needs a root disk. Says {@code busy} when all that is under way; then it answers each line of the host
 * with what the host keeps, until {@code end}.
 */
final class ScsiLoad {
    private static final int READ_MIB = 16;

    /** Bytes of unit 0, at least. */
    static final int READ_BYTES = READ_MIB << 20;

    private static final DeviceWrittenReads READS = new DeviceWrittenReads("unit0", "/dev/unit0", 0, READ_MIB, 4);

    static final String JOB = DeviceWrittenReads.FUNCTIONS
            + """
            modprobe sd_mod
            await() { for i in $(seq 300); do eval "$1" && return 0; sleep 0.1; done; return 1; }
            await '[ "$(ls -d /sys/class/scsi_device/*/device/block/* | wc -l)" -ge 2 ]' || emit '{"missing":true}'
            for i in 0 1; do ln -s /dev/$(basename $(ls -d /sys/class/scsi_device/*:0:0:$i/device/block/*)) /dev/unit$i; done
            said() { "$@" 2>&1 | tr -d '"\\\\\\\\' | tr '\\n\\t' '; '; }
            d=/dev/unit1
            echo "write through" >$(echo /sys/class/scsi_disk/*:0:0:1/cache_type)
            sg_persist --out --register --param-sark=0xabc $d >/dev/null
            sg_persist --out --reserve --param-rk=0xabc --prout-type=5 $d >/dev/null
            (rounds=0; failed=0
            while [ ! -e /tmp/reads/stop ]; do
                fio --name=verify --filename=$d --rw=randwrite --bsrange=512-64k --size=24m --io_size=8m --direct=1 \\
                    --ioengine=libaio --iodepth=16 --randrepeat=0 --verify=crc32c --verify_fatal=1 --verify_backlog=64 \\
                    >/tmp/fio 2>&1 || { failed=$((failed + 1)); emit "{\\"fio\\":\\"$(tail -n 3 /tmp/fio | tr -d '"\\\\\\\\' | tr '\\n' ' ')\\"}"; }
                rounds=$((rounds + 1))
            done
            emit "{\\"fioRounds\\":$rounds,\\"failed\\":$failed}") &
            writer=$!
            """
            + READS.expect()
            + READS.start()
            + """
            emit '{"at":"busy"}'
            while word=$(receive) && [ "$word" != end ]; do
                powerOns=$(dmesg | grep -c 'Power-on or device reset')
                keys=$(said sg_persist --in --read-keys $d)
                held=$(said sg_persist --in --read-reservation $d)
                echo 1 >$(echo /sys/class/scsi_device/*:0:0:1/device/rescan)
                cache=$(cat /sys/class/scsi_disk/*:0:0:1/cache_type)
                emit "{\\"at\\":\\"$word\\",\\"powerOns\\":$powerOns,\\"keys\\":\\"$keys\\",\\"held\\":\\"$held\\",\\"cache\\":\\"$cache\\",\\"size\\":$(cat /sys/class/scsi_device/*:0:0:1/device/block/*/size),\\"readOnly\\":$(cat /sys/class/scsi_device/*:0:0:0/device/block/*/ro),\\"units\\":$(ls -d /sys/class/scsi_device/*:0:0:* | wc -l)}"
            done
            """
            + DeviceWrittenReads.STOP
            + "wait $writer\n"
            + Lab.REPORT_KERNEL_ERRORS;

    private ScsiLoad() {}

    /** What the host keeps for the guest by now. */
    static JsonNode ask(MigratingGuest guest, String word) throws Exception {
        guest.send(word);
        JsonNode answer = guest.awaitLine(Lab.at(word), Lab.PATIENCE);
        Lab.report("%s", answer);
        return answer;
    }

    /** As {@link #ask}, until the guest has seen what it was told: it takes its time. */
    static JsonNode askUntil(MigratingGuest guest, String word, Predicate<JsonNode> seen) throws Exception {
        long deadline = System.nanoTime() + Lab.PATIENCE.toNanos();
        for (int i = 0; ; i++) {
            JsonNode answer = ask(guest, word + i);
            if (seen.test(answer)) {
                return answer;
            }
            assertThat(System.nanoTime()).as("it still says %s", answer).isLessThan(deadline);
        }
    }

    /** That every byte was right, and that something was done. */
    static void check(GuestResult result) {
        DeviceWrittenReads.Totals totals = DeviceWrittenReads.totals(result.lines());
        JsonNode writer = Lab.line(result, "fioRounds");
        Lab.report("%s, %s", totals, writer);
        assertThat(totals.readers()).isOne();
        assertThat(totals.wrongRounds()).as(totals.toString()).isZero();
        assertThat(totals.verifiedBytes()).isPositive();
        assertThat(writer.path("fioRounds").asInt()).isPositive();
        assertThat(writer.path("failed").asInt()).as("%s", result.lines()).isZero();
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
    }
}
