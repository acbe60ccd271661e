package io.fairlead.virtio;

import java.util.concurrent.atomic.AtomicInteger;

/** Counts the users of something shared; the last one to leave runs an action once. Starts at one. Thread-safe. */
public final class ReferenceCount {
    private final AtomicInteger users = new AtomicInteger(1);
    private final Runnable onUnused;

    public ReferenceCount(Runnable onUnused) {
        this.onUnused = onUnused;
    }

    public void retain() {
        int before = users.getAndUpdate(count -> count > 0 ? count + 1 : count);
        if (before <= 0) {
            throw new IllegalStateException("used after its last release");
        }
    }

    public void release() {
        int after = users.decrementAndGet();
        if (after < 0) {
            throw new IllegalStateException("released more often than retained");
        }
        if (after == 0) {
            onUnused.run();
        }
    }
}
