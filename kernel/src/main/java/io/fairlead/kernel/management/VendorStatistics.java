package io.fairlead.kernel.management;

import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.NetConfig;
import java.util.List;
import java.util.OptionalLong;

/**
 * What a vendor's driver counts of one virtqueue.
 *
 * @param name the device's
 * @param deviceId the virtio device id
 * @param queue the queue's index, as the kernel repeats it
 * @param maxQueuePairs of a network card, from its configuration space; 0 where the device does not offer several
 * @param negotiatedFeatures those that the driver has taken
 * @param counters in the driver's order
 */
public record VendorStatistics(
        String name,
        int deviceId,
        OptionalLong queue,
        int maxQueuePairs,
        long negotiatedFeatures,
        List<Counter> counters) {
    /**
     * A counter.
     *
     * @param name the vendor's
     * @param value unsigned
     */
    public record Counter(String name, long value) {}

    /** Of a network card: {@code rx}, {@code tx} or {@code control_vq} (virtio 1.4, 5.1.2); else empty. */
    public String queueType() {
        return queueType(Math.max(1, maxQueuePairs));
    }

    /** As iproute2's {@code vdpa} has it, to which queue 0 of a card with one pair is its control queue. */
    String queueTypeOfIproute2() {
        return queueType(maxQueuePairs);
    }

    private String queueType(int pairs) {
        if (deviceId != DeviceId.NET || queue.isEmpty()) {
            return "";
        }
        if ((negotiatedFeatures & NetConfig.F_CTRL_VQ) != 0 && queue.getAsLong() == 2L * pairs) {
            return "control_vq";
        }
        return (queue.getAsLong() & 1) == 0 ? "rx" : "tx";
    }
}
