package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** On a clock of its own. */
class RateLimitTest {
    @Test
    void carriesWhatTheRateSaysHoweverOftenItIsAsked() {
        for (long step : new long[] {300, 10_000, 2_000_000}) {
            AtomicLong now = new AtomicLong();
            long bytesPerSecond = 1_250_000;
            RateLimit limit = new RateLimit(() -> bytesPerSecond, now::get);
            long carried = 0;
            while (now.get() < 10_000_000_000L) {
                if (limit.allows()) {
                    limit.spend(1500);
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
    void withoutALimitEverythingGoesAndALimitMayComeLater() {
        AtomicLong now = new AtomicLong();
        AtomicLong rate = new AtomicLong();
        RateLimit limit = new RateLimit(rate::get, now::get);
        for (int i = 0; i < 1000; i++) {
            assertThat(limit.allows()).isTrue();
            limit.spend(65_000);
        }
        rate.set(1000);
        assertThat(limit.allows()).isFalse();
        now.addAndGet(1_000_000_000);
        assertThat(limit.allows()).isTrue();
        limit.spend(2000);
        assertThat(limit.allows()).isFalse();
    }
}
