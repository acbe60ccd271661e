package io.fairlead.node.migration;

import io.fairlead.node.channel.Message;
import java.io.IOException;

/**
 * What a user asked for.
 *
 * @param maxBandwidthBytesPerSecond of memory's way; 0 for QEMU's own limit
 * @param downtimeLimitMillis the longest stop that QEMU may aim at; 0 for its own limit
 * @param downtimeBudgetMillis a stop that would last longer is undone; 0 for none
 * @param multifdChannels streams for memory; 0 for one
 * @param selfCheck whether both sides compare every page of memory while the machine stands still
 * @param keepSource whether the source's QEMU stays when the machine has left it
 */
public record MigrationPlan(
        long maxBandwidthBytesPerSecond,
        long downtimeLimitMillis,
        long downtimeBudgetMillis,
        int multifdChannels,
        boolean selfCheck,
        boolean keepSource) {
    private static final int MAX_CHANNELS = 255;

    /** @throws IllegalArgumentException where a number is negative or too large */
    public MigrationPlan {
        if (maxBandwidthBytesPerSecond < 0 || downtimeLimitMillis < 0 || downtimeBudgetMillis < 0) {
            throw new IllegalArgumentException("limits of a migration are not negative");
        }
        if (multifdChannels < 0 || multifdChannels > MAX_CHANNELS) {
            throw new IllegalArgumentException("multifd takes 1 to " + MAX_CHANNELS + " channels, or 0 to do without");
        }
    }

    /** QEMU's own limits, one stream, no budget. */
    public static MigrationPlan plain() {
        return new MigrationPlan(0, 0, 0, 0, false, false);
    }

    /** Writes it into a message. */
    public Message into(Message message) {
        message.fields()
                .putObject("plan")
                .put("maxBandwidthBytesPerSecond", maxBandwidthBytesPerSecond)
                .put("downtimeLimitMillis", downtimeLimitMillis)
                .put("downtimeBudgetMillis", downtimeBudgetMillis)
                .put("multifdChannels", multifdChannels)
                .put("selfCheck", selfCheck)
                .put("keepSource", keepSource);
        return message;
    }

    /** Reads it from a message. */
    public static MigrationPlan of(Message message) throws IOException {
        var plan = message.fields().path("plan");
        try {
            return new MigrationPlan(
                    plan.path("maxBandwidthBytesPerSecond").asLong(0),
                    plan.path("downtimeLimitMillis").asLong(0),
                    plan.path("downtimeBudgetMillis").asLong(0),
                    plan.path("multifdChannels").asInt(0),
                    plan.path("selfCheck").asBoolean(false),
                    plan.path("keepSource").asBoolean(false));
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }
}
