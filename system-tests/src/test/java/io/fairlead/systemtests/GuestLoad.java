package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import tools.jackson.databind.JsonNode;

/**
 * What a guest does with a disk while it moves: readers, whose buffers only the device writes, compare what they get with
 * what the host wrote, and a writer reads back what it wrote itself.
 *
 * @param device in the guest, such as {@code /dev/vda}
 */
record GuestLoad(String device) {
    static final int READERS = 3;
    private static final int READ_MIB = 24;
    private static final int BUFFER_MIB = 4;
    private static final int WRITTEN_MIB = 4;
    private static final long SEED = 20;

    /** Rounds of writing and reading back, each reported; and what became of all at the end. */
    private static final String WRITER = """
            writer() {
                wrong=0; written=0
                while [ ! -e /tmp/reads/stop ]; do
                    dd if=/dev/urandom of=/tmp/written bs=1M count=MIB 2>/dev/null
                    dd if=/tmp/written of=DEVICE bs=64k seek=START oflag=direct conv=notrunc 2>/dev/null
                    dd if=DEVICE bs=64k skip=START count=COUNT iflag=direct 2>/dev/null >/tmp/back
                    cmp -s /tmp/written /tmp/back || wrong=$((wrong + 1))
                    written=$((written + 1))
                    emit "{\\"round\\":$written}"
                done
                emit "{\\"written\\":$written,\\"wrong\\":$wrong}"
            }
            """;

    /**
     * What came of it; nothing was wrong.
     *
     * @param readBytes that only the device wrote and that were right
     * @param writtenBytes that were written and read back
     */
    record Outcome(long readBytes, long writtenBytes) {
        long verifiedBytes() {
            return readBytes + writtenBytes;
        }
    }

    /** Makes the disk's image. */
    static Path image(Path file) throws IOException {
        byte[] content = new byte[(READERS * READ_MIB + WRITTEN_MIB) << 20];
        new Random(SEED).nextBytes(content);
        return Files.write(file, content);
    }

    /** Reports {@code {"at":"load"}} when all is under way; the host's next line ends it. */
    String job() {
        StringBuilder job = new StringBuilder(DeviceWrittenReads.FUNCTIONS)
                .append(WRITER.replace("DEVICE", device)
                        .replace("MIB", Integer.toString(WRITTEN_MIB))
                        .replace("START", Integer.toString(READERS * READ_MIB * 16))
                        .replace("COUNT", Integer.toString(WRITTEN_MIB * 16)));
        List<DeviceWrittenReads> readers = new ArrayList<>();
        for (int i = 0; i < READERS; i++) {
            readers.add(new DeviceWrittenReads("reader" + i, device, i * READ_MIB, READ_MIB, BUFFER_MIB));
        }
        readers.forEach(reader -> job.append(reader.expect()));
        readers.forEach(reader -> job.append(reader.start()));
        return job.append("writer &\nwriter=$!\nemit '{\"at\":\"load\"}'\nreceive >/dev/null\n")
                .append(DeviceWrittenReads.STOP)
                .append("wait $writer\n")
                .append(Lab.REPORT_KERNEL_ERRORS)
                .toString();
    }

    /** How often the writer was through so far. */
    static long rounds(List<JsonNode> lines) {
        return lines.stream().filter(line -> line.has("round")).count();
    }

    /** That nothing was lost, and that something was done. */
    static Outcome check(GuestResult result) {
        DeviceWrittenReads.Totals totals = DeviceWrittenReads.totals(result.lines());
        JsonNode writer = Lab.line(result, "written");
        Lab.report("%s, %s", totals, writer);
        assertThat(result.status()).isZero();
        assertThat(totals.readers()).isEqualTo(READERS);
        assertThat(totals.wrongRounds()).as("%s", totals).isZero();
        assertThat(totals.rounds()).isGreaterThanOrEqualTo(READERS);
        assertThat(writer.path("wrong").asInt(-1)).isZero();
        assertThat(writer.path("written").asInt()).isPositive();
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
        return new Outcome(totals.verifiedBytes(), writer.path("written").asLong() * (WRITTEN_MIB << 20));
    }
}
