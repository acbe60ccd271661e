package io.fairlead.kernel.vhostvdpa;

import io.fairlead.virtio.Feature;
import java.nio.file.Path;
import java.util.Map;

/**
 * How a device of the kernel is to be taken.
 *
 * @param path the device's file, such as /dev/vhost-vdpa-0, or a name of the device alone: its stable name or the one on the
 *     vdpa bus; which file that is, is asked at each opening
 * @param deviceId the virtio type that it has to be; 0 for any
 * @param queueCount queues to use; 0 for as many as it has
 * @param maxQueueSize most entries of a queue, a power of two up to 32768; 0 for what the device takes
 * @param identity as {@link io.fairlead.vdpa.VdpaDevice#identity}
 * @param dirtyLog whether the device's own dirty log may be used, where it has one
 * @param features of the device's features a driver is offered only these, so that it can be as another one is; -1 for all
 */
public record VhostVdpaSettings(
        Path path,
        int deviceId,
        int queueCount,
        int maxQueueSize,
        Map<String, String> identity,
        boolean dirtyLog,
        long features) {
    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public VhostVdpaSettings {
        identity = Map.copyOf(identity);
        if (queueCount < 0) {
            throw new IllegalArgumentException("queues: %d is not in 1..".formatted(queueCount));
        }
        if (maxQueueSize != 0 && (maxQueueSize < 2 || maxQueueSize > 32768 || Integer.bitCount(maxQueueSize) != 1)) {
            throw new IllegalArgumentException(
                    "queue-size: %d is not a power of two in 2..32768".formatted(maxQueueSize));
        }
        if (!Feature.has(features, Feature.VERSION_1)) {
            throw new IllegalArgumentException(
                    "features: 0x%x lacks VERSION_1 (0x%x), without which no driver can use the device"
                            .formatted(features, Feature.VERSION_1));
        }
    }

    /** All of a device, of any type. */
    public static VhostVdpaSettings of(Path path) {
        return new VhostVdpaSettings(path, 0, 0, 0, Map.of(), true, -1);
    }
}
