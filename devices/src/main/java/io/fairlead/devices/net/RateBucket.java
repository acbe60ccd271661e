package io.fairlead.devices.net;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * How much a device may carry in one direction: bytes flow into a bucket at a rate, and the frames of all its queues take
 * them out. A frame may go when the bucket is not overdrawn. The rate may change at any time.
 *
 * <p>Any thread, without locks and without allocation; without a limit nothing is written.
 */
final class RateBucket {
    private static final long NANOS_PER_SECOND = TimeUnit.SECONDS.toNanos(1);

    /** What may go at once after a pause. */
    private static final long BURST_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private static final long MIN_BURST_BYTES = 128 << 10;

    private final LongSupplier bytesPerSecond;
    private final LongSupplier clock;
    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong filledNanos;

    /** @param bytesPerSecond 0 for no limit */
    RateBucket(LongSupplier bytesPerSecond) {
        this(bytesPerSecond, System::nanoTime);
    }

    /** With a clock of its own, for tests. */
    RateBucket(LongSupplier bytesPerSecond, LongSupplier clock) {
        this.bytesPerSecond = bytesPerSecond;
        this.clock = clock;
        filledNanos = new AtomicLong(clock.getAsLong());
    }

    /** 0 where a frame may go now; else about how long it has to wait. */
    long nanosToWait() {
        long rate = bytesPerSecond.getAsLong();
        if (rate == 0 || bytes.get() > 0) {
            return 0;
        }
        fill(rate);
        long now = bytes.get();
        return now > 0 ? 0 : 1 + (long) Math.ceil((1.0 - now) * NANOS_PER_SECOND / rate);
    }

    private void fill(long rate) {
        long last = filledNanos.get();
        long now = clock.getAsLong();
        long passed = Math.min(now - last, NANOS_PER_SECOND);
        long more = (long) ((double) rate * passed / NANOS_PER_SECOND);
        // Less than a byte is left for the next time. Of several queues that look at once one fills.
        long filled = now - passed + (long) ((double) more * NANOS_PER_SECOND / rate);
        if (more <= 0 || !filledNanos.compareAndSet(last, filled)) {
            return;
        }
        long most = Math.max(MIN_BURST_BYTES, (long) ((double) rate * BURST_NANOS / NANOS_PER_SECOND));
        long before;
        do {
            before = bytes.get();
        } while (!bytes.compareAndSet(before, Math.min(most, before + more)));
    }

    /** A frame went. */
    void spend(long frameBytes) {
        if (bytesPerSecond.getAsLong() != 0) {
            bytes.addAndGet(-frameBytes);
        }
    }
}
