package io.fairlead.vhostuser.client;

import io.fairlead.virtio.Feature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;

/**
 * How a device behind another daemon's socket is to be taken. What vhost-user does not tell (the virtio type, the size of
 * the configuration space, the largest ring) is told here.
 *
 * @param socket where the daemon listens
 * @param deviceId the virtio type of what it serves
 * @param queueCount queues to use; 0 for as many as the daemon has
 * @param maxQueueSize most entries of a queue, a power of two up to 32768
 * @param configByteCount bytes of the configuration space; 0 for what is usual for the type
 * @param identity as {@link io.fairlead.vdpa.VdpaDevice#identity}
 * @param dirtyLog whether the daemon's own dirty log may be used, where it has one
 * @param features of the daemon's features a driver is offered only these, so that the device can be as another one is;
 *     -1 for all
 * @param answerTimeout how long the daemon may take for an answer
 * @param drainTimeout how long its requests under way may take when a queue stops
 */
public record VhostUserBackendSettings(
        Path socket,
        int deviceId,
        int queueCount,
        int maxQueueSize,
        int configByteCount,
        Map<String, String> identity,
        boolean dirtyLog,
        long features,
        Duration answerTimeout,
        Duration drainTimeout) {
    /** A ring's index is a byte in the protocol. */
    public static final int MAX_QUEUES = 256;

    static final int MAX_CONFIG_BYTES = 256;

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public VhostUserBackendSettings {
        identity = Map.copyOf(identity);
        if (deviceId < 1 || deviceId > 0xffff) {
            throw new IllegalArgumentException("type: virtio id %d is not in 1..65535".formatted(deviceId));
        }
        if (queueCount < 0 || queueCount > MAX_QUEUES) {
            throw new IllegalArgumentException("queues: %d is not in 1..%d".formatted(queueCount, MAX_QUEUES));
        }
        if (maxQueueSize < 2 || maxQueueSize > 32768 || Integer.bitCount(maxQueueSize) != 1) {
            throw new IllegalArgumentException(
                    "queue-size: %d is not a power of two in 2..32768".formatted(maxQueueSize));
        }
        if (configByteCount < 0 || configByteCount > MAX_CONFIG_BYTES) {
            throw new IllegalArgumentException(
                    "config-bytes: %d is not in 0..%d".formatted(configByteCount, MAX_CONFIG_BYTES));
        }
        if (!Feature.has(features, Feature.VERSION_1)) {
            throw new IllegalArgumentException(
                    "features: 0x%x lacks VERSION_1 (0x%x), without which no driver can use the device"
                            .formatted(features, Feature.VERSION_1));
        }
    }

    /** All queues of the daemon, with at most 1024 entries each; 10 seconds for answers, 30 for what is under way. */
    public static VhostUserBackendSettings of(Path socket, int deviceId) {
        return new VhostUserBackendSettings(
                socket, deviceId, 0, 1024, 0, Map.of(), true, -1, Duration.ofSeconds(10), Duration.ofSeconds(30));
    }

    /** The same fields, to change some. */
    private static final class Edit {
        private int queueCount;
        private int maxQueueSize;
        private int configByteCount;
        private Map<String, String> identity;
        private boolean dirtyLog;
        private long features;
        private Duration answerTimeout;
        private Duration drainTimeout;

        Edit(VhostUserBackendSettings from) {
            queueCount = from.queueCount;
            maxQueueSize = from.maxQueueSize;
            configByteCount = from.configByteCount;
            identity = from.identity;
            dirtyLog = from.dirtyLog;
            features = from.features;
            answerTimeout = from.answerTimeout;
            drainTimeout = from.drainTimeout;
        }
    }

    private VhostUserBackendSettings with(Consumer<Edit> change) {
        Edit edit = new Edit(this);
        change.accept(edit);
        return new VhostUserBackendSettings(
                socket,
                deviceId,
                edit.queueCount,
                edit.maxQueueSize,
                edit.configByteCount,
                edit.identity,
                edit.dirtyLog,
                edit.features,
                edit.answerTimeout,
                edit.drainTimeout);
    }

    public VhostUserBackendSettings withQueueCount(int value) {
        return with(edit -> edit.queueCount = value);
    }

    public VhostUserBackendSettings withMaxQueueSize(int value) {
        return with(edit -> edit.maxQueueSize = value);
    }

    public VhostUserBackendSettings withConfigByteCount(int value) {
        return with(edit -> edit.configByteCount = value);
    }

    public VhostUserBackendSettings withIdentity(Map<String, String> value) {
        return with(edit -> edit.identity = value);
    }

    public VhostUserBackendSettings withDirtyLog(boolean value) {
        return with(edit -> edit.dirtyLog = value);
    }

    public VhostUserBackendSettings withFeatures(long value) {
        return with(edit -> edit.features = value);
    }

    public VhostUserBackendSettings withTimeouts(Duration answer, Duration drain) {
        return with(edit -> {
            edit.answerTimeout = answer;
            edit.drainTimeout = drain;
        });
    }
}
