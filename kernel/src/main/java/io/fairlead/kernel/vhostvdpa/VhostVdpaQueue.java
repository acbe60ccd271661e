package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.SettledQueue;

/** One queue of a kernel device. Under the device's lock. */
final class VhostVdpaQueue extends SettledQueue<EventFd> {
    final int maxSize;

    /** Whether the device serves it now. */
    boolean running;

    VhostVdpaQueue(int index, int maxSize) {
        super(index, maxSize);
        this.maxSize = maxSize;
    }

    void reset() {
        forget(maxSize);
        running = false;
    }
}
