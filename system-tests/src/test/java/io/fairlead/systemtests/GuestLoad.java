package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import tools.jackson.databind.JsonNode;

/**
 * What a guest does with a disk while it moves: readers, whose buffers only the device writes, compare what they get with
 * what the host wrote, and a writer reads back what it wrote itself.
 *
 * @param device in the guest, such as {@code /dev/vda}
 * @param readers how many read
 * @param readMib of each reader
 * @param bufferMib that a reader reads at once
 * @param writtenMib of a round of the writer
 */
record GuestLoad(String device, int readers, int readMib, int bufferMib, int writtenMib) {
    private static final long SEED = 20;

    GuestLoad(String device) {
        this(device, 3, 24, 4, 4);
    }

    /** For a guest that is slow and small. */
    static GuestLoad light(String device) {
        return new GuestLoad(device, 1, 4, 2, 1);
    }

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
                emit "{\\"written\\":$written,\\"mibEach\\":MIB,\\"readers\\":READERS,\\"wrong\\":$wrong}"
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
        return new GuestLoad("").write(file);
    }

    /** Writes what the disk has at first, to a file or to a block device. */
    Path write(Path image) throws IOException {
        byte[] content = new byte[mib() << 20];
        new Random(SEED).nextBytes(content);
        try (FileChannel channel = FileChannel.open(image, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            ByteBuffer rest = ByteBuffer.wrap(content);
            while (rest.hasRemaining()) {
                channel.write(rest);
            }
            // To the device itself, since others read it past the page cache.
            channel.force(true);
        }
        return image;
    }

    /** How much of the disk is used, from its start. */
    int mib() {
        return readers * readMib + writtenMib;
    }

    /** Reports {@code {"at":"load"}} when all is under way; the host's next line ends it. */
    String job() {
        StringBuilder job = new StringBuilder(DeviceWrittenReads.FUNCTIONS)
                .append(WRITER.replace("DEVICE", device)
                        .replace("READERS", Integer.toString(readers))
                        .replace("MIB", Integer.toString(writtenMib))
                        .replace("START", Integer.toString(readers * readMib * 16))
                        .replace("COUNT", Integer.toString(writtenMib * 16)));
        List<DeviceWrittenReads> all = new ArrayList<>();
        for (int i = 0; i < readers; i++) {
            all.add(new DeviceWrittenReads("reader" + i, device, i * readMib, readMib, bufferMib));
        }
        all.forEach(reader -> job.append(reader.expect()));
        all.forEach(reader -> job.append(reader.start()));
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
        int readers = writer.path("readers").asInt();
        assertThat(totals.readers()).isEqualTo(readers).isPositive();
        assertThat(totals.wrongRounds()).as("%s", totals).isZero();
        assertThat(totals.rounds()).isGreaterThanOrEqualTo(readers);
        assertThat(writer.path("wrong").asInt(-1)).isZero();
        assertThat(writer.path("written").asInt()).isPositive();
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
        return new Outcome(
                totals.verifiedBytes(),
                (writer.path("written").asLong() * writer.path("mibEach").asLong()) << 20);
    }
}
