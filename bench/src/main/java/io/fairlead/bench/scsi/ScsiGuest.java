package io.fairlead.bench.scsi;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import tools.jackson.databind.JsonNode;

/** A guest with two SCSI hosts, ours and QEMU's own, whose unit is the same file; it runs fio on either when it is told to. */
final class ScsiGuest implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofMinutes(4);
    private static final int PROCESSORS = 2;
    private static final String IO_THREAD = "serves-peer";

    private static final String JOB = """
            modprobe sd_mod
            for i in $(seq 300); do
                ours=; qemu=
                for disk in /sys/block/sd*; do
                    case "$(cat $disk/device/vendor 2>/dev/null)" in
                    FAIRLEAD*) ours=${disk##*/} ;;
                    QEMU*) qemu=${disk##*/} ;;
                    esac
                done
                [ -n "$ours" ] && [ -n "$qemu" ] && break
                sleep 0.1
            done
            emit "{\\"at\\":\\"ready\\",\\"ours\\":\\"$ours\\",\\"qemu\\":\\"$qemu\\"}"
            while words=$(receive) && [ "$words" != end ]; do
                set -- $words
                case $1 in ours) disk=$ours ;; *) disk=$qemu ;; esac
                fio --name=bench --filename=/dev/$disk --rw=$2 --bs=$3k --iodepth=$4 --runtime=$5 --time_based \\
                    --direct=1 --ioengine=libaio --norandommap --randrepeat=0 --minimal >/tmp/fio 2>/tmp/fio.errors
                status=$?
                field() { cut -d';' -f$1 </tmp/fio; }
                emit "{\\"run\\":$6,\\"status\\":$status,\\"readKib\\":$(field 6),\\"readMillis\\":$(field 9),\\"writtenKib\\":$(field 47),\\"writeMillis\\":$(field 50)}"
            done
            wrong=$(dmesg | grep -cE 'I/O error|blocked for more|lockup|BUG:|Oops')
            emit "{\\"kernelErrors\\":$wrong}"
            """;

    /**
     * What a run did.
     *
     * @param ios that were answered
     */
    record Run(double ios, double iosPerSecond) {
        /** @param report the guest's line */
        static Run of(JsonNode report, int blockKib) throws IOException {
            double ios = (report.path("readKib").asDouble(0)
                            + report.path("writtenKib").asDouble(0))
                    / blockKib;
            double millis = Math.max(
                    report.path("readMillis").asDouble(0),
                    report.path("writeMillis").asDouble(0));
            if (report.path("status").asInt(-1) != 0 || ios <= 0 || millis <= 0) {
                throw new IOException("fio failed in the guest: " + report);
            }
            return new Run(ios, ios * 1e3 / millis);
        }
    }

    private final Guest guest;
    private int runs;

    private ScsiGuest(Guest guest) {
        this.guest = guest;
    }

    /**
     * Boots it.
     *
     * @param socket of our host
     * @param image of the peer's unit
     * @param root of the guest
     */
    static ScsiGuest start(Testbed testbed, ScsiBenchOptions options, Path socket, Path image, Path root)
            throws IOException, InterruptedException {
        GuestSpec spec = GuestSpec.job(JOB)
                .name("scsi-bench")
                .release(options.release())
                .boot(GuestSpec.Boot.KERNEL)
                .processors(PROCESSORS)
                .disk("root", root, 0)
                .device(VhostUserDevice.scsi("ours", socket).with("num_queues", 1))
                .arguments(
                        "-object",
                        "iothread,id=" + IO_THREAD,
                        "-blockdev",
                        "driver=raw,node-name=image,file.driver=file,file.aio=io_uring,file.locking=off,file.filename="
                                + escaped(image),
                        "-device",
                        "virtio-scsi-pci,id=peer,num_queues=1,iothread=" + IO_THREAD,
                        "-device",
                        "scsi-hd,bus=peer.0,drive=image,share-rw=on");
        Guest started = testbed.start(spec);
        boolean ready = false;
        try {
            JsonNode units =
                    started.awaitLine(line -> line.path("at").asString("").equals("ready"), PATIENCE);
            if (units.path("ours").asString("").isEmpty()
                    || units.path("qemu").asString("").isEmpty()) {
                throw new IOException("the guest does not find both units: " + units);
            }
            ready = true;
            return new ScsiGuest(started);
        } finally {
            if (!ready) {
                started.close();
            }
        }
    }

    /** In an option of QEMU a comma is written twice. */
    static String escaped(Path path) {
        return path.toString().replace(",", ",,");
    }

    /** QEMU's own host. */
    ScsiHost peer() throws IOException {
        for (JsonNode thread : guest.machine().qmp().execute("query-iothreads")) {
            if (thread.path("id").asString("").equals(IO_THREAD)) {
                return new ScsiHost.IoThread(
                        "qemu", guest.machine().pid(), thread.path("thread-id").asLong(0));
            }
        }
        throw new IOException("QEMU does not tell its I/O thread");
    }

    /** Has the guest do something, and waits for its end. */
    Run run(ScsiHost host, ScsiWorkload workload, Duration runTime) throws IOException, InterruptedException {
        int run = ++runs;
        guest.send("%s %s %d %d %d %d"
                .formatted(
                        host.word(),
                        workload.pattern(),
                        workload.blockKib(),
                        workload.depth(),
                        runTime.toSeconds(),
                        run));
        return Run.of(guest.awaitLine(line -> line.path("run").asInt(0) == run, PATIENCE), workload.blockKib());
    }

    /** Ends it; nothing may have gone wrong in it. */
    void end() throws IOException, InterruptedException {
        guest.send("end");
        JsonNode report = guest.awaitLine(line -> line.has("kernelErrors"), PATIENCE);
        if (report.path("kernelErrors").asInt(-1) != 0) {
            throw new IOException("the guest's kernel complained: " + report);
        }
    }

    @Override
    public void close() throws IOException {
        guest.close();
    }
}
