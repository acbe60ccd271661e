package io.fairlead.vhostuser.client;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.SettledQueue;

/** One queue of a daemon's device. Under the device's lock. */
final class BackendQueue extends SettledQueue<EventFd> {
    /** Whether the daemon serves it now. */
    boolean running;

    /** It ran when the daemon went: requests that the record of what is in flight names are taken up again. */
    boolean resumes;

    BackendQueue(int index, int size) {
        super(index, size);
    }

    void reset(int initialSize) {
        forget(initialSize);
        running = false;
        resumes = false;
    }
}
