package io.fairlead.vdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Signal;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What a driver and its front-end settled for one queue of a device. Whether it may be changed is the device's to say. Under
 * the device's lock.
 *
 * @param <C> how the driver is signalled
 */
public class SettledQueue<C extends Signal> {
    /** Tells whoever serves the queue of a change. */
    public interface Telling {
        void tell() throws IOException;
    }

    private final int index;
    private QueueSetup setup;
    private @Nullable QueueState state;
    private @Nullable EventFd kick;
    private @Nullable C call;
    private boolean ready;

    /** @param size its entries, until the driver says another number */
    protected SettledQueue(int index, int size) {
        this.index = index;
        setup = new QueueSetup(size, 0, 0, 0);
    }

    public final int index() {
        return index;
    }

    public final QueueSetup setup() {
        return setup;
    }

    public final int size() {
        return setup.size();
    }

    public final void size(int size) {
        setup = new QueueSetup(size, setup.descriptorAddress(), setup.driverAddress(), setup.deviceAddress());
    }

    public final void addresses(long descriptorAddress, long driverAddress, long deviceAddress) {
        setup = new QueueSetup(setup.size(), descriptorAddress, driverAddress, deviceAddress);
    }

    /** Where to start, or where the last run ended; null for the initial state. */
    public final @Nullable QueueState state() {
        return state;
    }

    public final void state(@Nullable QueueState newState) {
        state = newState;
    }

    public final QueueState stateFor(boolean packed) {
        QueueState known = state;
        return known != null ? known : QueueState.initial(packed);
    }

    /**
     * As {@link #stateFor}, for a queue of a device that starts it now.
     *
     * @throws IllegalStateException where it is the state of a queue of the other layout
     */
    public final QueueState startState(String device, boolean packed) {
        QueueState start = stateFor(packed);
        if (start instanceof QueueState.Packed != packed) {
            throw new IllegalStateException(
                    "%s: queue %d has a state that does not fit the negotiated ring layout".formatted(device, index));
        }
        return start;
    }

    public final @Nullable EventFd kick() {
        return kick;
    }

    /** Takes another kick, and closes the old one when that is told. */
    public final void kick(@Nullable EventFd next, Telling telling) throws IOException {
        EventFd old = kick;
        kick = next;
        try {
            telling.tell();
        } finally {
            if (old != null) {
                old.close();
            }
        }
    }

    public final @Nullable C call() {
        return call;
    }

    /** Takes another call, and closes the old one when that is told. */
    public final void call(@Nullable C next, Telling telling) throws IOException {
        C old = call;
        call = next;
        try {
            telling.tell();
        } finally {
            if (old != null) {
                closeCall(old);
            }
        }
    }

    private static void closeCall(Signal call) {
        call.close();
    }

    public final boolean ready() {
        return ready;
    }

    public final void ready(boolean newReady) {
        ready = newReady;
    }

    /** Forgets everything the driver set; kick and call are the front-end's and stay. */
    protected void forget(int initialSize) {
        setup = new QueueSetup(initialSize, 0, 0, 0);
        state = null;
        ready = false;
    }

    /** The device is closed. */
    public void closeDescriptors() {
        if (kick != null) {
            kick.close();
            kick = null;
        }
        if (call != null) {
            closeCall(call);
            call = null;
        }
    }
}
