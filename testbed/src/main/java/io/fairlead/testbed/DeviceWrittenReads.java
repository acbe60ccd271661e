package io.fairlead.testbed;

import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * A load for guests that notices when pages that only a device has written get lost, as they do where a device does not
 * log what it writes: readers with large buffers, each filled by the device alone and compared slowly afterwards, so that
 * at any moment most of a buffer is fresh from the device and unseen by the processor. A load that fills its buffers
 * itself, as a verifying writer does, marks those pages by the processor and notices nothing.
 *
 * <p>Needs no program beside busybox. A job has {@link #FUNCTIONS}, then {@link #expect} and {@link #start}, its own
 * work, {@link #STOP}; what came of it is in the lines of the guest.
 *
 * @param name unique among the guest's readers
 * @param device in the guest, such as {@code /dev/vda}; the region must not be written meanwhile
 * @param skipMib before the region; a multiple of the buffer
 * @param regionMib as much of the guest's memory holds what is expected; a multiple of the buffer, and of several buffers
 *     with different content, or an old buffer is as good as a new one
 * @param bufferMib read at once
 */
public record DeviceWrittenReads(String name, String device, int skipMib, int regionMib, int bufferMib) {
    /** Shell functions that the job needs first. */
    public static final String FUNCTIONS = Resources.text("device-reads.sh");

    /** Ends all readers after their round, and waits until they have reported. */
    public static final String STOP = "device_reads_stop\n";

    public DeviceWrittenReads {
        if (!name.matches("[A-Za-z0-9]{1,20}") || !device.matches("/dev/[a-z0-9/]+")) {
            throw new IllegalArgumentException("not a name and a device: " + name + " " + device);
        }
        if (bufferMib < 1
                || skipMib < 0
                || skipMib % bufferMib != 0
                || regionMib % bufferMib != 0
                || regionMib < 2 * bufferMib) {
            throw new IllegalArgumentException(
                    "offset and region are multiples of the buffer, the region at least two of it");
        }
    }

    /**
     * What readers found, of all of them.
     *
     * @param readers that have reported their end
     * @param verifiedBytes that were as expected; a byte that is read again counts again
     * @param rounds over the regions
     * @param wrongRounds in which a byte was not as expected
     * @param differences where, of the first byte of each wrong round
     */
    public record Totals(int readers, long verifiedBytes, long rounds, long wrongRounds, List<String> differences) {}

    /** Takes the region's content as it is, and reports {@code {"expected":NAME,"sha256":...}}. */
    public String expect() {
        return "device_reads_expect %s %s %d %d%n".formatted(name, device, skipMib, regionMib);
    }

    /** Starts the reader in the background. */
    public String start() {
        return "device_reads_start %s %s %d %d %d%n".formatted(name, device, skipMib, regionMib, bufferMib);
    }

    /** Adds up the reports among a guest's lines. */
    public static Totals totals(List<JsonNode> lines) {
        List<JsonNode> ends =
                lines.stream().filter(line -> line.has("verifiedBytes")).toList();
        return new Totals(
                ends.size(),
                sum(ends, "verifiedBytes"),
                sum(ends, "rounds"),
                sum(ends, "wrong"),
                lines.stream()
                        .filter(line -> line.has("difference"))
                        .map(line -> line.path("difference").asString(""))
                        .toList());
    }

    private static long sum(List<JsonNode> lines, String member) {
        return lines.stream().mapToLong(line -> line.path(member).asLong(0)).sum();
    }
}
