package io.fairlead.systemtests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;

/**
 * A guest's load that shows whether a migration lost what the device wrote: readers whose large buffers nobody but the
 * device writes, and which are full most of the time. Each reads its own region of the second disk, whose blocks all
 * differ, and compares its sum with the host's. A writer beside them reads back what it wrote.
 */
final class ReadLoad {
    static final int READERS = 3;
    private static final int BUFFER_MIB = 4;
    private static final int REGION_MIB = 12;
    private static final int REGION_BYTES = REGION_MIB << 20;
    private static final int WRITTEN_MIB = 4;
    private static final int SEED = 20;

    /**
     * Each pass reports whether its sum was right. At the end: how many were, and what the kernel said.
     */
    private static final String JOB = """
            reader() {
                while [ ! -e /tmp/stop ]; do
                    sum=$(dd if=/dev/vdb bs=BUFFERM skip=$(($1 * CHUNKS)) count=CHUNKS iflag=direct 2>/dev/null |
                        sha256sum | cut -c1-64)
                    [ "$sum" = "$2" ] && what=right || what=wrong
                    echo >>/tmp/$what
                    emit "{\\"reader\\":$1,\\"sum\\":\\"$what\\"}"
                done
            }
            writer() {
                while [ ! -e /tmp/stop ]; do
                    dd if=/dev/urandom of=/tmp/written bs=1M count=WRITTEN 2>/dev/null
                    dd if=/tmp/written of=/dev/vdb bs=64k seek=SEEK oflag=direct conv=notrunc 2>/dev/null
                    dd if=/dev/vdb bs=64k skip=SEEK count=BLOCKS iflag=direct of=/tmp/read 2>/dev/null
                    cmp -s /tmp/written /tmp/read && what=right || what=wrong
                    echo >>/tmp/$what
                    emit "{\\"writer\\":0,\\"sum\\":\\"$what\\"}"
                done
            }
            : >/tmp/right
            : >/tmp/wrong
            STARTS
            writer &
            emit '{"at":"load"}'
            receive >/dev/null
            touch /tmp/stop
            wait
            emit "{\\"right\\":$(wc -l </tmp/right),\\"wrong\\":$(wc -l </tmp/wrong)}"
            """ + Lab.REPORT_KERNEL_ERRORS;

    private final String job;

    private ReadLoad(String job) {
        this.job = job;
    }

    /** Makes the image of the second disk. */
    static ReadLoad on(Path image) throws IOException {
        byte[] content = new byte[(READERS * REGION_MIB + WRITTEN_MIB) << 20];
        new Random(SEED).nextBytes(content);
        Files.write(image, content);
        StringBuilder starts = new StringBuilder();
        for (int reader = 0; reader < READERS; reader++) {
            byte[] region = Arrays.copyOfRange(content, reader * REGION_BYTES, (reader + 1) * REGION_BYTES);
            starts.append("reader %d %s &%n".formatted(reader, RootImage.sha256(region)));
        }
        return new ReadLoad(JOB.replace("STARTS\n", starts)
                .replace("CHUNKS", Integer.toString(REGION_MIB / BUFFER_MIB))
                .replace("BUFFER", Integer.toString(BUFFER_MIB))
                .replace("SEEK", Integer.toString(READERS * REGION_MIB * 16))
                .replace("BLOCKS", Integer.toString(WRITTEN_MIB * 16))
                .replace("WRITTEN", Integer.toString(WRITTEN_MIB)));
    }

    String job() {
        return job;
    }
}
