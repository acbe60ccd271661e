package io.fairlead.devices.fs;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Something that the guest names by a number: stays as long as it is in its table or a request uses it, whatever the guest
 * closes meanwhile. Thread-safe.
 */
abstract class Counted {
    private final AtomicInteger uses = new AtomicInteger(1);
    private final long id;

    Counted(long id) {
        this.id = id;
    }

    /** What the guest calls it by. */
    final long id() {
        return id;
    }

    /** Keeps it until {@link #release}; false where it has ended already. */
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
            ended();
        }
    }

    /** Nobody uses it any more: closes what it has. */
    abstract void ended();
}
