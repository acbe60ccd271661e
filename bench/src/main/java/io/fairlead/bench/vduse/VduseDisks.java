package io.fairlead.bench.vduse;

import io.fairlead.testbed.L1Command;
import io.fairlead.testbed.L1Host;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Two disks of an L1 host's own kernel, by VDUSE and virtio_vdpa: ours and qemu-storage-daemon's, alike in queue, size and
 * content. What runs there are shell scripts.
 */
final class VduseDisks {
    /** The names of the vDPA devices. */
    static final String OURS = "ours";

    static final String PEERS = "theirs";

    private static final Duration PATIENCE = Duration.ofMinutes(3);
    private static final String FOLDER = "/run/vduse-bench";
    private static final int QUEUE_SIZE = 256;

    private static final String ADD = """
            set -e
            for name in %1$s %2$s; do
                tries=0
                until [ -e /dev/vduse/$name ]; do
                    tries=$((tries + 1))
                    [ $tries -lt 600 ] || { echo "VDUSE device $name does not come" >&2; exit 1; }
                    sleep 0.2
                done
                vdpa dev add name $name mgmtdev vduse
            done
            """.formatted(OURS, PEERS);

    private static final String END = """
            set -e
            vdpa dev del %1$s
            vdpa dev del %2$s
            dmesg | grep -E 'I/O error|blocked for more|BUG:|Oops|WARNING:' || true
            """.formatted(OURS, PEERS);

    private final L1Host host;
    private final L1Command ours;
    private final L1Command theirs;
    private final String release;

    private VduseDisks(L1Host host, L1Command ours, L1Command theirs, String release) {
        this.host = host;
        this.ours = ours;
        this.theirs = theirs;
        this.release = release;
    }

    /**
     * Makes both.
     *
     * @param fairlead how to start the fairlead command
     */
    static VduseDisks make(L1Host host, List<String> fairlead, int imageMib) throws IOException, InterruptedException {
        String release =
                host.run("""
            set -e
            modprobe -a vduse virtio_vdpa virtio_blk
            mkdir -p %1$s
            mount -t tmpfs -o size=75%% tmpfs %1$s
            dd if=/dev/urandom of=%1$s/%2$s.img bs=1M count=%4$d 2>/dev/null
            cp %1$s/%2$s.img %1$s/%3$s.img
            uname -r
            """.formatted(FOLDER, OURS, PEERS, imageMib), PATIENCE).strip();
        String words = fairlead.stream()
                .map(word -> "'" + word.replace("'", "'\\''") + "'")
                .collect(Collectors.joining(" "));
        L1Command ours = host.start("""
                echo $$ >%1$s/%2$s.pid
                exec %3$s serve --state %1$s --threads 1 \\
                    --device name=%2$s,type=blk,vduse=%2$s,path=%1$s/%2$s.img,queues=1,queue-size=%4$d
                """.formatted(FOLDER, OURS, words, QUEUE_SIZE));
        L1Command theirs = host.start("""
                echo $$ >%1$s/%2$s.pid
                exec qemu-storage-daemon \\
                    --blockdev driver=file,node-name=file,filename=%1$s/%2$s.img,aio=io_uring \\
                    --blockdev driver=raw,node-name=disk,file=file \\
                    --export type=vduse-blk,id=e,node-name=disk,name=%2$s,num-queues=1,queue-size=%3$d,writable=on
                """.formatted(FOLDER, PEERS, QUEUE_SIZE));
        try {
            String _ = host.run(ADD, PATIENCE);
            return new VduseDisks(host, ours, theirs, release);
        } catch (IOException e) {
            throw new IOException(
                    "%s%nfairlead serve: %s%nqemu-storage-daemon: %s"
                            .formatted(e.getMessage(), ours.errors(), theirs.errors()),
                    e);
        }
    }

    /** The release of the host's kernel. */
    String release() {
        return release;
    }

    /** Has the host read or write one of the disks, and waits for the end of it. */
    VduseRun run(boolean isOurs, VduseWorkload workload, Duration runTime) throws IOException, InterruptedException {
        return VduseRun.of(host.run(
                """
            set -e
            ticks() { awk '{ print $14 + $15 }' "/proc/$(cat %1$s/%2$s.pid)/stat"; }
            disk=$(basename /sys/bus/vdpa/devices/%2$s/virtio*/block/*)
            before=$(ticks)
            fio --name=bench --filename=/dev/$disk --rw=%3$s --bs=%4$dk --iodepth=%5$d --runtime=%6$d --time_based \\
                --direct=1 --ioengine=libaio --norandommap --randrepeat=0 --output-format=terse --terse-version=3 \\
                >%1$s/fio
            echo "$(cut -d';' -f6,9,47,50 <%1$s/fio | tr ';' ' ') $(($(ticks) - before))"
            """.formatted(
                                FOLDER,
                                isOurs ? OURS : PEERS,
                                workload.pattern(),
                                VduseWorkload.BLOCK_KIB,
                                workload.depth(),
                                runTime.toSeconds()),
                PATIENCE.plus(runTime)));
    }

    /** Ends both; nothing may have gone wrong. */
    void end() throws IOException, InterruptedException {
        String complaints = host.run(END, PATIENCE);
        if (!complaints.isEmpty()) {
            throw new IOException("the host's kernel complained: " + complaints);
        }
        for (L1Command server : List.of(ours, theirs)) {
            server.signal("TERM");
            int exitCode = server.awaitExit(PATIENCE);
            if (exitCode != 0) {
                throw new IOException(
                        "a serving process ended with exit code %d: %s".formatted(exitCode, server.errors()));
            }
        }
    }
}
