package io.fairlead.vdpa;

import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueConfig;
import io.fairlead.virtio.QueueState;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * What the driver set up for a queue.
 *
 * @param size ring entries
 * @param descriptorAddress guest address of the descriptor table or ring
 * @param driverAddress guest address of the available ring or driver event area
 * @param deviceAddress guest address of the used ring or device event area
 */
public record QueueSetup(int size, long descriptorAddress, long driverAddress, long deviceAddress) {
    /** All of it for a run of the queue by the data path. */
    public QueueConfig config(
            long features, QueueState state, @Nullable MemorySegment inflight, InflightRequests carried) {
        return new QueueConfig(
                size, descriptorAddress, driverAddress, deviceAddress, features, state, inflight, carried);
    }
}
