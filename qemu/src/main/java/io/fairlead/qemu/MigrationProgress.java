package io.fairlead.qemu;

import tools.jackson.databind.JsonNode;

/**
 * What query-migrate answers, at one moment. Numbers that QEMU does not give (yet) are 0.
 *
 * @param transferredBytes over the stream so far
 * @param remainingBytes of memory still to send
 * @param totalBytes of guest memory
 * @param dirtyBytesPerSecond how fast memory gets dirty again, of the last pass; 0 before there was one
 * @param bandwidthBytesPerSecond of the stream at the moment
 * @param passes over the memory; 1 in the first
 * @param expectedDowntimeMillis what QEMU expects; it stops the machine when that is within the limit
 * @param downtimeMillis how long the machine stood still; 0 before the end
 * @param setupMillis from the command to the first byte of memory
 * @param totalMillis from the command until now or the end
 * @param reason of a failure, in QEMU's own words; empty without one
 */
public record MigrationProgress(
        MigrationStatus status,
        long transferredBytes,
        long remainingBytes,
        long totalBytes,
        long dirtyBytesPerSecond,
        long bandwidthBytesPerSecond,
        long passes,
        long expectedDowntimeMillis,
        long downtimeMillis,
        long setupMillis,
        long totalMillis,
        String reason) {

    /** Reads QEMU's answer to query-migrate. */
    static MigrationProgress of(JsonNode answer) {
        JsonNode ram = answer.path("ram");
        return new MigrationProgress(
                answer.has("status") ? MigrationStatus.of(answer.path("status").asString("")) : MigrationStatus.NONE,
                number(ram, "transferred"),
                number(ram, "remaining"),
                number(ram, "total"),
                number(ram, "dirty-pages-rate") * number(ram, "page-size"),
                // Megabits, of a million each.
                Math.round(ram.path("mbps").asDouble(0) * 1e6 / Byte.SIZE),
                number(ram, "dirty-sync-count"),
                number(answer, "expected-downtime"),
                number(answer, "downtime"),
                number(answer, "setup-time"),
                number(answer, "total-time"),
                answer.path("error-desc").asString(""));
    }

    private static long number(JsonNode node, String name) {
        return node.path(name).asLong(0);
    }
}
