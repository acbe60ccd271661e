package io.fairlead.qemu;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is asked of QEMU for one migration. Both ends get equal options, but for the certificates' folder. Immutable.
 *
 * @param pauseBeforeSwitchover QEMU waits, with the machine stopped, until it is told to go on
 * @param returnPath the destination answers the source: without it the source cannot know whether the state was loaded
 * @param multifdChannels connections side by side for memory; 0 for one stream
 * @param maxBandwidthBytesPerSecond 0 for QEMU's own value (128 MiB/s), which counts for memory before the stop
 * @param downtimeLimit the stop that QEMU aims at; null for QEMU's own value (300 ms)
 * @param tls null for a stream in the clear
 */
public record MigrationOptions(
        boolean pauseBeforeSwitchover,
        boolean returnPath,
        int multifdChannels,
        long maxBandwidthBytesPerSecond,
        @Nullable Duration downtimeLimit,
        @Nullable MigrationTls tls) {
    private static final int MAX_CHANNELS = 255;

    public MigrationOptions {
        if (multifdChannels < 0 || multifdChannels > MAX_CHANNELS || maxBandwidthBytesPerSecond < 0) {
            throw new IllegalArgumentException("multifd has 0 to %d channels, a bandwidth is not negative: %d, %d"
                    .formatted(MAX_CHANNELS, multifdChannels, maxBandwidthBytesPerSecond));
        }
        if (downtimeLimit != null && downtimeLimit.isNegative()) {
            throw new IllegalArgumentException("a downtime limit is not negative: " + downtimeLimit);
        }
    }

    /** With a return path, one stream, QEMU's own limits, in the clear, without a pause. */
    public static MigrationOptions plain() {
        return new MigrationOptions(false, true, 0, 0, null, null);
    }

    public MigrationOptions withPauseBeforeSwitchover(boolean value) {
        return new MigrationOptions(value, returnPath, multifdChannels, maxBandwidthBytesPerSecond, downtimeLimit, tls);
    }

    public MigrationOptions withReturnPath(boolean value) {
        return new MigrationOptions(
                pauseBeforeSwitchover, value, multifdChannels, maxBandwidthBytesPerSecond, downtimeLimit, tls);
    }

    public MigrationOptions withMultifdChannels(int value) {
        return new MigrationOptions(
                pauseBeforeSwitchover, returnPath, value, maxBandwidthBytesPerSecond, downtimeLimit, tls);
    }

    public MigrationOptions withMaxBandwidth(long bytesPerSecond) {
        return new MigrationOptions(
                pauseBeforeSwitchover, returnPath, multifdChannels, bytesPerSecond, downtimeLimit, tls);
    }

    public MigrationOptions withDowntimeLimit(Duration value) {
        return new MigrationOptions(
                pauseBeforeSwitchover, returnPath, multifdChannels, maxBandwidthBytesPerSecond, value, tls);
    }

    public MigrationOptions withTls(MigrationTls value) {
        return new MigrationOptions(
                pauseBeforeSwitchover, returnPath, multifdChannels, maxBandwidthBytesPerSecond, downtimeLimit, value);
    }

    Optional<MigrationTls> certificates() {
        return Optional.ofNullable(tls);
    }

    /** QEMU's capabilities, each to be switched as it stands here. */
    Map<String, Boolean> capabilities() {
        Map<String, Boolean> all = new LinkedHashMap<>();
        all.put("events", true);
        all.put("return-path", returnPath);
        all.put("pause-before-switchover", pauseBeforeSwitchover);
        all.put("multifd", multifdChannels > 0);
        // A destination that has loaded a machine leaves its images alone until it is told to run it.
        all.put("late-block-activate", true);
        return all;
    }

    /** QEMU's parameters that differ from its own values, without those of TLS. */
    Map<String, Object> parameters() {
        Map<String, Object> all = new LinkedHashMap<>();
        if (maxBandwidthBytesPerSecond > 0) {
            all.put("max-bandwidth", maxBandwidthBytesPerSecond);
        }
        if (downtimeLimit != null) {
            all.put("downtime-limit", downtimeLimit.toMillis());
        }
        if (multifdChannels > 0) {
            all.put("multifd-channels", multifdChannels);
        }
        return all;
    }

    /** The parameters that a migration may change, in QEMU's names, with what QEMU starts with. */
    static Map<String, Object> startingParameters() {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("max-bandwidth", 128L << 20);
        all.put("downtime-limit", 300);
        all.put("multifd-channels", 2);
        all.put("tls-creds", "");
        all.put("tls-hostname", "");
        return all;
    }

    /** The parameters that a migration may change, in QEMU's names. */
    static List<String> parameterNames() {
        return List.copyOf(startingParameters().keySet());
    }
}
