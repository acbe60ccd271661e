package io.fairlead.vdpa.relay;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.SettledQueue;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.InflightRegion;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What the guest and its front-end settled for one queue, and its relay while it has one. Of kick and call the device has
 * duplicates while the relay is out. Under the device's lock.
 */
final class RelayQueue extends SettledQueue<EventFd> {
    final EventLoop loop;

    @Nullable
    MemorySegment inflight;

    InflightRequests carried = InflightRequests.none();
    CompletionStage<Void> carriedSettled = CompletableFuture.completedStage(null);

    /** Set while the queue is relayed; read by any thread, to halt it. */
    volatile @Nullable RelayRunner runner;

    private @Nullable EventFd deviceKick;
    private @Nullable EventFd deviceCall;
    private @Nullable Mapping ownInflight;

    RelayQueue(int index, EventLoop loop, int size) {
        super(index, size);
        this.loop = loop;
    }

    QueueState stateFor(long features) {
        return stateFor(Feature.has(features, Feature.RING_PACKED));
    }

    /** The guest's queue, for one run of a relay. */
    QueueConfig config(long features) throws IOException {
        return setup().config(
                        features,
                        stateFor(features),
                        inflight != null || carried.isEmpty() ? inflight : ownInflight(features),
                        carried);
    }

    /** Requests of another device are taken up from such memory, also where the front-end gave none. */
    private MemorySegment ownInflight(long features) throws IOException {
        Mapping made = Mapping.anonymous(InflightRegion.byteCount(size(), Feature.has(features, Feature.RING_PACKED)));
        ownInflight = made;
        return made.segment();
    }

    static @Nullable EventFd duplicate(@Nullable EventFd event) throws IOException {
        return event == null ? null : EventFd.adopt(event.fd().duplicate());
    }

    /** Makes the descriptors by which relay and device wake each other. */
    EventFd openDeviceKick() throws IOException {
        EventFd made = EventFd.create("relay's kick of queue " + index());
        deviceKick = made;
        return made;
    }

    EventFd openDeviceCall() throws IOException {
        EventFd made = EventFd.create("relay's call of queue " + index());
        deviceCall = made;
        return made;
    }

    /** The run of a relay is over. */
    void closeRun() {
        if (ownInflight != null) {
            ownInflight.close();
            ownInflight = null;
        }
        if (deviceKick != null) {
            deviceKick.close();
            deviceKick = null;
        }
        if (deviceCall != null) {
            deviceCall.close();
            deviceCall = null;
        }
    }

    /** Starts the device on the guest's ring. */
    void startOn(VdpaDevice device, long features) throws IOException {
        QueueSetup setup = setup();
        device.queueSize(index(), setup.size());
        device.queueAddresses(index(), setup.descriptorAddress(), setup.driverAddress(), setup.deviceAddress());
        device.queueState(index(), stateFor(features));
        device.queueInflight(index(), inflight);
        if (!carried.isEmpty()) {
            device.carryOver(index(), carried, carriedSettled);
            forgetCarried();
        }
        device.queueKick(index(), duplicate(kick()));
        device.queueCall(index(), duplicate(call()));
        device.queueReady(index(), true);
    }

    /** Settles the device's side of the relay; the device does not start yet. */
    void connect(VdpaDevice device, DriverRings rings, EventFd kickOfDevice, EventFd callOfDevice) throws IOException {
        device.queueSize(index(), rings.size());
        device.queueAddresses(index(), rings.descriptorAddress(), rings.driverAddress(), rings.deviceAddress());
        device.queueState(index(), QueueState.initial(rings.packed()));
        device.queueInflight(index(), null);
        device.queueKick(index(), duplicate(kickOfDevice));
        device.queueCall(index(), duplicate(callOfDevice));
    }

    /** The requests of another device are this one's now. */
    void forgetCarried() {
        carried = InflightRequests.none();
        carriedSettled = CompletableFuture.completedStage(null);
    }

    void reset(int initialSize) {
        forget(initialSize);
        inflight = null;
        forgetCarried();
    }

    @Override
    public void closeDescriptors() {
        closeRun();
        super.closeDescriptors();
    }
}
