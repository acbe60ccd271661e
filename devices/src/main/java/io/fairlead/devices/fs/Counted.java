package io.fairlead.devices.fs;

import io.fairlead.linux.Fd;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Something with a descriptor that the guest names by a number: stays open as long as it is in its table or a request uses
 * it, whatever the guest closes meanwhile. Thread-safe.
 */
abstract class Counted {
    private final AtomicInteger uses = new AtomicInteger(1);
    private final long id;
    private final Fd fd;

    /** @param fd this object's from now on */
    Counted(long id, Fd fd) {
        this.id = id;
        this.fd = fd;
    }

    /** What the guest calls it by. */
    final long id() {
        return id;
    }

    /** The descriptor's number, valid for whoever holds this. */
    final int raw() {
        return fd.raw();
    }

    /** Keeps it open until {@link #release}; false where it is closed already. */
    final boolean hold() {
        for (; ; ) {
            int before = uses.get();
            if (before == 0) {
                return false;
            }
            if (uses.compareAndSet(before, before + 1)) {
                return true;
            }
        }
    }

    final void release() {
        if (uses.decrementAndGet() == 0) {
            fd.close();
            ended();
        }
    }

    /** The descriptor is closed. */
    void ended() {}
}
