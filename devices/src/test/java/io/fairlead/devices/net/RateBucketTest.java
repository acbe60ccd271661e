package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** On a clock of its own. */
class RateBucketTest {
    @Test
    void carriesWhatTheRateSaysHoweverOftenItIsAsked() {
        for (long step : new long[] {300, 10_000, 2_000_000}) {
            AtomicLong now = new AtomicLong();
            long bytesPerSecond = 1_250_000;
            RateBucket bucket = new RateBucket(() -> bytesPerSecond, now::get);
            long carried = 0;
            while (now.get() < 10_000_000_000L) {
                if (bucket.nanosToWait() == 0) {
                    bucket.spend(1500);
                    carried += 1500;
                }
                now.addAndGet(step);
            }
            // A frame each 2 ms is less than the rate.
            long most = step == 2_000_000 ? 5000 * 1500 : 10 * bytesPerSecond + (128 << 10);
            assertThat(carried).isBetween(most * 98 / 100, most);
        }
    }

    @Test
    void whoWaitsAsLongAsItSaysMayGo() {
        AtomicLong now = new AtomicLong();
        RateBucket bucket = new RateBucket(() -> 1_000_000, now::get);
        for (int i = 0; i < 100; i++) {
            long wait = bucket.nanosToWait();
            now.addAndGet(wait);
            assertThat(bucket.nanosToWait()).isZero();
            bucket.spend(65_000);
        }
        assertThat(now.get()).isBetween(99 * 65_000_000L, 101 * 65_000_000L);
    }

    @Test
    void queuesOnManyThreadsShareIt() throws Exception {
        AtomicLong now = new AtomicLong();
        long bytesPerSecond = 12_500_000;
        RateBucket bucket = new RateBucket(() -> bytesPerSecond, now::get);
        AtomicLong carried = new AtomicLong();
        List<Thread> queues = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            queues.add(Thread.ofPlatform().start(() -> {
                while (now.addAndGet(10_000) < 10_000_000_000L) {
                    if (bucket.nanosToWait() == 0) {
                        bucket.spend(1500);
                        carried.addAndGet(1500);
                    }
                }
            }));
        }
        for (Thread queue : queues) {
            queue.join();
        }
        // Each may overdraw it by a frame, again and again; what is overdrawn is paid back.
        assertThat(carried.get()).isBetween(10 * bytesPerSecond * 9 / 10, 10 * bytesPerSecond + (128 << 10) + 4 * 1500);
    }

    @Test
    void withoutALimitEverythingGoesAndALimitMayComeLater() {
        AtomicLong now = new AtomicLong();
        AtomicLong rate = new AtomicLong();
        RateBucket bucket = new RateBucket(rate::get, now::get);
        for (int i = 0; i < 1000; i++) {
            assertThat(bucket.nanosToWait()).isZero();
            bucket.spend(65_000);
        }
        rate.set(1000);
        assertThat(bucket.nanosToWait()).isPositive();
        now.addAndGet(1_000_000_000);
        assertThat(bucket.nanosToWait()).isZero();
        bucket.spend(2000);
        assertThat(bucket.nanosToWait()).isPositive();
    }
}
