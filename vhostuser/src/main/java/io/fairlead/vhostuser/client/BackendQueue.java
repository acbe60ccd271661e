package io.fairlead.vhostuser.client;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.virtio.QueueState;
import org.jspecify.annotations.Nullable;

/** What the driver and its front-end settled for one queue. Under the device's lock. */
final class BackendQueue {
    final int index;
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

    /** Whether the daemon serves it now. */
    boolean running;

    /** It ran when the daemon went: requests that the record of what is in flight names are taken up again. */
    boolean resumes;

    BackendQueue(int index, int size) {
        this.index = index;
        this.size = size;
    }

    QueueState stateFor(boolean packed) {
        QueueState known = state;
        return known != null ? known : QueueState.initial(packed);
    }

    QueueSetup setup() {
        return new QueueSetup(size, descriptorAddress, driverAddress, deviceAddress);
    }

    /** Forgets everything the driver set; kick and call are the front-end's and stay. */
    void reset(int initialSize) {
        size = initialSize;
        descriptorAddress = 0;
        driverAddress = 0;
        deviceAddress = 0;
        state = null;
        ready = false;
        running = false;
        resumes = false;
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
