package io.fairlead.devices.net;

import io.fairlead.vdpa.loop.EventLoop;
import java.util.concurrent.TimeUnit;

/**
 * One queue's view of what its device may carry in a direction: when the {@link RateBucket} lets a frame go again is looked
 * at by a timer, so that waiting costs nothing.
 *
 * <p>On the queue's loop.
 */
final class RateLimit implements AutoCloseable {
    /** Frames wait at least so long, that they go in batches. */
    private static final long MIN_WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(500);

    private final RateBucket bucket;
    private final EventLoop.Timer timer;

    /**
     * @param bucket that all queues of a direction share
     * @param wake called when a frame may go again
     */
    RateLimit(RateBucket bucket, EventLoop loop, Runnable wake) {
        this.bucket = bucket;
        timer = loop.timer(wake);
    }

    /** Whether a frame may go now; else {@code wake} follows. */
    boolean allows() {
        long wait = bucket.nanosToWait();
        if (wait == 0) {
            return true;
        }
        timer.after(Math.max(MIN_WAIT_NANOS, wait));
        return false;
    }

    /** A frame went. */
    void spend(long frameBytes) {
        bucket.spend(frameBytes);
    }

    @Override
    public void close() {
        timer.cancel();
    }
}
