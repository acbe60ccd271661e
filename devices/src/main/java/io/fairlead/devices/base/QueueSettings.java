package io.fairlead.devices.base;

import io.fairlead.linux.Signal;
import io.fairlead.vdpa.SettledQueue;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What the driver and its front-end settled for one queue, and the queue's run. Under the device's lock. */
final class QueueSettings extends SettledQueue<Signal> {
    final EventLoop loop;

    @Nullable
    MemorySegment inflight;

    /** What it takes up from its last run or another device. */
    final CarriedRequests carried = new CarriedRequests();

    /** Set while the queue is served; read by loops too, to halt it. */
    volatile @Nullable QueueRunner runner;

    QueueSettings(int index, EventLoop loop, int size) {
        super(index, size);
        this.loop = loop;
    }

    /** @param recorded whether requests in flight have to be recorded, by memory of our own where none was given */
    QueueConfig config(long features, boolean recorded) throws IOException {
        boolean packed = Feature.has(features, Feature.RING_PACKED);
        return setup().config(
                        features,
                        stateFor(packed),
                        carried.memory(inflight, size(), packed, recorded),
                        carried.requests());
    }

    void reset(int initialSize) {
        forget(initialSize);
        inflight = null;
        carried.reset();
    }
}
