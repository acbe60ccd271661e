package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * What a driver and its front-end settled for one virtqueue before it starts.
 *
 * @param size ring entries; for split a power of two, at most 32768
 * @param descriptorAddress guest address of the descriptor table (split) or descriptor ring (packed)
 * @param driverAddress guest address of the available ring or driver event suppression area
 * @param deviceAddress guest address of the used ring or device event suppression area
 * @param features the negotiated feature bits, of which RING_PACKED, EVENT_IDX, INDIRECT_DESC and IN_ORDER matter
 * @param state where to go on, of the layout of the features
 * @param inflight shared memory that records requests in flight ({@link SplitInflight}, {@link PackedInflight}), and
 *     from which those of an earlier process are taken up again; null where nobody keeps it
 * @param carried requests that another device left in flight, which are written into {@code inflight} and taken up from
 *     there; {@link InflightRequests#none} for a queue that goes on by itself
 */
public record QueueConfig(
        int size,
        long descriptorAddress,
        long driverAddress,
        long deviceAddress,
        long features,
        QueueState state,
        @Nullable MemorySegment inflight,
        InflightRequests carried) {

    /** A queue without requests of another device. */
    public QueueConfig(
            int size,
            long descriptorAddress,
            long driverAddress,
            long deviceAddress,
            long features,
            QueueState state,
            @Nullable MemorySegment inflight) {
        this(size, descriptorAddress, driverAddress, deviceAddress, features, state, inflight, InflightRequests.none());
    }

    public QueueConfig {
        if (state instanceof QueueState.Packed != Feature.has(features, Feature.RING_PACKED)) {
            throw new IllegalArgumentException("queue state " + state + " is not of the negotiated ring layout");
        }
        if (!carried.isEmpty() && inflight == null) {
            throw new IllegalArgumentException("requests of another device need memory for requests in flight");
        }
    }

    public boolean packed() {
        return Feature.has(features, Feature.RING_PACKED);
    }

    public boolean has(long feature) {
        return Feature.has(features, feature);
    }
}
