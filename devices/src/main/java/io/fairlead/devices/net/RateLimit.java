package io.fairlead.devices.net;

import io.fairlead.vdpa.loop.EventLoop;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * How much one queue may carry: bytes flow into a bucket at a rate, and frames take them out. A frame may go when the bucket
 * is not overdrawn; how often is looked at by a timer, so that waiting costs nothing. The rate may change at any time.
 *
 * <p>On the queue's loop.
 */
final class RateLimit implements AutoCloseable {
    private static final long NANOS_PER_SECOND = TimeUnit.SECONDS.toNanos(1);

    /** What may go at once after a pause. */
    private static final long BURST_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private static final long MIN_BURST_BYTES = 128 << 10;

    /** Frames wait at least so long, that they go in batches. */
    private static final long MIN_WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(500);

    private final LongSupplier bytesPerSecond;
    private final EventLoop.@Nullable Timer timer;
    private final LongSupplier clock;
    private long lastNanos;
    private long bytes;

    /**
     * @param bytesPerSecond 0 for no limit
     * @param wake called when a frame may go again
     */
    RateLimit(LongSupplier bytesPerSecond, EventLoop loop, Runnable wake) {
        this(bytesPerSecond, loop.timer(wake), System::nanoTime);
    }

    /** Without a timer and with a clock of its own, for tests. */
    RateLimit(LongSupplier bytesPerSecond, LongSupplier clock) {
        this(bytesPerSecond, null, clock);
    }

    private RateLimit(LongSupplier bytesPerSecond, EventLoop.@Nullable Timer timer, LongSupplier clock) {
        this.bytesPerSecond = bytesPerSecond;
        this.timer = timer;
        this.clock = clock;
        lastNanos = clock.getAsLong();
    }

    /** Whether a frame may go now; else {@code wake} follows. */
    boolean allows() {
        long rate = bytesPerSecond.getAsLong();
        if (rate == 0 || bytes > 0) {
            return true;
        }
        long now = clock.getAsLong();
        long passed = Math.min(now - lastNanos, NANOS_PER_SECOND);
        long more = (long) ((double) rate * passed / NANOS_PER_SECOND);
        // Less than a byte is left for the next time.
        lastNanos = now - passed + (long) ((double) more * NANOS_PER_SECOND / rate);
        long most = Math.max(MIN_BURST_BYTES, (long) ((double) rate * BURST_NANOS / NANOS_PER_SECOND));
        bytes = Math.min(most, bytes + more);
        if (bytes > 0) {
            return true;
        }
        if (timer != null) {
            timer.after(Math.max(MIN_WAIT_NANOS, (long) ((1.0 - bytes) * NANOS_PER_SECOND / rate)));
        }
        return false;
    }

    /** A frame went. */
    void spend(int frameBytes) {
        if (bytesPerSecond.getAsLong() != 0) {
            bytes -= frameBytes;
        }
    }

    @Override
    public void close() {
        if (timer != null) {
            timer.cancel();
        }
    }
}
