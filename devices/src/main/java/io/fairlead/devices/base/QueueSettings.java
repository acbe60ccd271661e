package io.fairlead.devices.base;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Signal;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What the driver and its front-end settled for one queue, and the queue's run. Under the device's lock. */
final class QueueSettings {
    final EventLoop loop;
    int size;
    long descriptorAddress;
    long driverAddress;
    long deviceAddress;

    /** Where to start, or where the last run ended; null for the initial state. */
    @Nullable
    QueueState state;

    @Nullable
    EventFd kick;

    @Nullable
    Signal call;

    @Nullable
    MemorySegment inflight;

    /** What it takes up from its last run or another device. */
    final CarriedRequests carried = new CarriedRequests();

    boolean ready;

    /** Set while the queue is served; read by loops too, to halt it. */
    volatile @Nullable QueueRunner runner;

    QueueSettings(EventLoop loop, int size) {
        this.loop = loop;
        this.size = size;
    }

    QueueState stateFor(boolean packed) {
        QueueState known = state;
        return known != null ? known : QueueState.initial(packed);
    }

    /** @param recorded whether requests in flight have to be recorded, by memory of our own where none was given */
    QueueConfig config(long features, boolean recorded) throws IOException {
        boolean packed = Feature.has(features, Feature.RING_PACKED);
        return new QueueConfig(
                size,
                descriptorAddress,
                driverAddress,
                deviceAddress,
                features,
                stateFor(packed),
                carried.memory(inflight, size, packed, recorded),
                carried.requests());
    }

    /** Forgets everything the driver set; kick and call are the front-end's and stay. */
    void reset(int initialSize) {
        size = initialSize;
        descriptorAddress = 0;
        driverAddress = 0;
        deviceAddress = 0;
        state = null;
        inflight = null;
        carried.reset();
        ready = false;
    }

    void closeDescriptors() {
        if (kick != null) {
            kick.close();
            kick = null;
        }
        if (call != null) {
            call.close();
            call = null;
        }
    }
}
