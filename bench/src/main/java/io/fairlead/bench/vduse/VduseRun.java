package io.fairlead.bench.vduse;

import java.io.IOException;

/**
 * What a run did.
 *
 * @param ios that were answered
 * @param iosPerSecond of the host's clock
 * @param cpuNanos processor time of the process that served the disk, told by the kernel in steps of 10 ms
 */
record VduseRun(double ios, double iosPerSecond, long cpuNanos) {
    private static final int FIELDS = 5;
    private static final long NANOS_PER_TICK = 10_000_000;
    private static final double MILLIS_PER_SECOND = 1e3;

    /** @param line KiB read, in milliseconds, KiB written, in milliseconds; ticks of processor time */
    static VduseRun of(String line) throws IOException {
        String[] words = line.strip().split("\\s+", -1);
        try {
            if (words.length == FIELDS) {
                double ios = (Double.parseDouble(words[0]) + Double.parseDouble(words[2])) / VduseWorkload.BLOCK_KIB;
                double millis = Math.max(Double.parseDouble(words[1]), Double.parseDouble(words[3]));
                long ticks = Long.parseLong(words[4]);
                if (ios > 0 && millis > 0 && ticks >= 0) {
                    return new VduseRun(ios, ios * MILLIS_PER_SECOND / millis, ticks * NANOS_PER_TICK);
                }
            }
        } catch (NumberFormatException e) {
            throw new IOException("a run's figures are none: " + line.strip(), e);
        }
        throw new IOException("a run's figures are none: " + line.strip());
    }
}
