package io.fairlead.kernel.management;

import java.util.List;

/**
 * What a vendor's driver counts of one virtqueue.
 *
 * @param name the device's
 * @param deviceId the virtio device id
 * @param queueType of a network card: {@code rx}, {@code tx} or {@code control_vq}; else empty
 * @param counters in the driver's order
 */
public record VendorStatistics(String name, int deviceId, String queueType, List<Counter> counters) {
    /**
     * A counter.
     *
     * @param name the vendor's
     * @param value unsigned
     */
    public record Counter(String name, long value) {}
}
