package io.fairlead.devices.base;

import io.fairlead.vdpa.AttributeValue;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.Feature;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What every type's users may choose: attributes {@code queue-size} and {@code features}.
 *
 * @param queueSize most entries of a queue, a power of two from 4 to 32768
 * @param features of the features that the device has, only these are offered, so that it can be as another one is; -1
 *     for all
 */
public record RingSettings(int queueSize, long features) {
    /** Their names, for messages and help texts. */
    public static final String ATTRIBUTES = "queue-size, features";

    /**
     * The most entries of a queue if nothing else is said: the most that QEMU gives one. Some QEMUs (10.0.13) give them to
     * every queue, whatever the {@code queue-size} of their device.
     */
    public static final int DEFAULT_QUEUE_SIZE = 1024;

    private static final String QUEUE_SIZE = "queue-size";
    private static final String FEATURES = "features";

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public RingSettings {
        if (queueSize < 4 || queueSize > 32768 || Integer.bitCount(queueSize) != 1) {
            throw new IllegalArgumentException("queue-size: %d is not a power of two in 4..32768".formatted(queueSize));
        }
        if (!Feature.has(features, Feature.VERSION_1)) {
            throw new IllegalArgumentException(
                    "features: 0x%x lacks VERSION_1 (0x%x), without which no driver can use the device"
                            .formatted(features, Feature.VERSION_1));
        }
    }

    /** All features, and queues of {@link #DEFAULT_QUEUE_SIZE} entries. */
    public static RingSettings standard() {
        return ofSize(DEFAULT_QUEUE_SIZE);
    }

    /** All features. */
    public static RingSettings ofSize(int queueSize) {
        return new RingSettings(queueSize, -1);
    }

    /** Whether an attribute is one of these. */
    public static boolean has(String key) {
        return key.equals(QUEUE_SIZE) || key.equals(FEATURES);
    }

    /** The same with an attribute that is one of these. */
    public RingSettings with(String key, String value) {
        return switch (key) {
            case QUEUE_SIZE -> new RingSettings(AttributeValue.number(key, value), features);
            case FEATURES -> new RingSettings(queueSize, AttributeValue.bits(key, value));
            default -> throw new IllegalArgumentException(key + ": not one of " + ATTRIBUTES);
        };
    }

    /** The attributes that make a device like another one, to be added to. */
    public static Map<String, String> like(DeviceProfile other) {
        int largest = other.queues().stream()
                .mapToInt(DeviceProfile.Queue::maxSize)
                .max()
                .orElse(0);
        Map<String, String> attributes = new LinkedHashMap<>();
        attributes.put(FEATURES, "0x%x".formatted(other.deviceFeatures()));
        // Another vendor's need not be a power of two; ours has to be, and at least as large.
        attributes.put(QUEUE_SIZE, Integer.toString(Integer.highestOneBit(Math.max(1, 2 * largest - 1))));
        return attributes;
    }
}
