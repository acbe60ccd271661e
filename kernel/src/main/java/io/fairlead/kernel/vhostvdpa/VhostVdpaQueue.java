package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.virtio.QueueState;
import org.jspecify.annotations.Nullable;

/** What the driver and its front-end settled for one queue. Under the device's lock. */
final class VhostVdpaQueue {
    final int index;
    final int maxSize;
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
    EventFd call;

    boolean ready;

    /** Whether the device serves it now. */
    boolean running;

    VhostVdpaQueue(int index, int maxSize) {
        this.index = index;
        this.maxSize = maxSize;
        size = maxSize;
    }

    QueueState stateFor(boolean packed) {
        QueueState known = state;
        return known != null ? known : QueueState.initial(packed);
    }

    QueueSetup setup() {
        return new QueueSetup(size, descriptorAddress, driverAddress, deviceAddress);
    }

    /** Forgets everything the driver set; kick and call are the front-end's and stay. */
    void reset() {
        size = maxSize;
        descriptorAddress = 0;
        driverAddress = 0;
        deviceAddress = 0;
        state = null;
        ready = false;
        running = false;
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
