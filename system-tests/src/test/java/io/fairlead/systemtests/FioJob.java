package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Random writes over a whole region, each block with its checksum, and their verification: by the guest while it writes,
 * and by the host in the image afterwards.
 *
 * @param engine libaio or io_uring
 * @param jobs how many write side by side, each in a region of its own
 * @param regionMib what each of them writes
 * @param blocks the range of block sizes, as fio takes it
 * @param depth requests in flight of each job
 * @param seed of the order of the blocks and of their sizes
 */
record FioJob(String engine, int jobs, int regionMib, String blocks, int depth, long seed) {
    /** What all of them write. */
    long byteCount() {
        return ((long) jobs * regionMib) << 20;
    }

    private List<String> pattern(String file) {
        return List.of(
                "--name=verify",
                "--filename=" + file,
                "--rw=randwrite",
                "--bsrange=" + blocks,
                "--size=" + regionMib + "m",
                "--offset_increment=" + regionMib + "m",
                "--numjobs=" + jobs,
                "--thread",
                "--group_reporting",
                "--randseed=" + seed,
                "--verify=crc32c",
                "--verify_fatal=1",
                "--verify_backlog=256");
    }

    /** The guest's command; its exit status is 0 only if every block held what it should. */
    String guestCommand(String device) {
        return "fio " + String.join(" ", pattern(device)) + " --direct=1 --ioengine=" + engine + " --iodepth=" + depth;
    }

    /** Verifies on the host what the guest wrote last. */
    void checkImage(Path image) throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(pattern(image.toString().replace(":", "\\:")));
        arguments.addAll(
                List.of("--ioengine=psync", "--verify_only", "--verify_state_save=0", "--output-format=terse"));
        HostCommand verification = HostCommand.userland("usr/bin/fio", arguments);
        assertThat(verification.exitCode()).as(verification.output()).isZero();
    }
}
