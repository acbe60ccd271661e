package io.fairlead.devices.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecentPagesTest {
    private static final long PERIOD = 1000;
    private static final long BYTES = 300L << 20;

    @Test
    void aPageIsRecentForThisPeriodAndTheNext() {
        RecentPages pages = new RecentPages(BYTES, PERIOD, 0);
        pages.seen(8192, 4096);
        assertThat(pages.use(8192, 4096)).isTrue();
        pages.passTime(PERIOD + 1);
        pages.passTime(2 * PERIOD + 2);
        assertThat(pages.use(8192, 4096))
                .as("used in neither of the last two periods")
                .isFalse();
    }

    @Test
    void useKeepsAPageRecent() {
        RecentPages pages = new RecentPages(BYTES, PERIOD, 0);
        pages.seen(0, 1);
        for (int period = 1; period < 10; period++) {
            pages.passTime(period * (PERIOD + 1));
            assertThat(pages.use(0, 4096)).as("period %d", period).isTrue();
        }
    }

    @Test
    void aLongPauseForgetsEverything() {
        RecentPages pages = new RecentPages(BYTES, PERIOD, 0);
        pages.seen(0, BYTES);
        pages.passTime(3 * PERIOD);
        assertThat(pages.use(0, 1)).isFalse();
    }

    @Test
    void aRangeCountsOnlyAsAWholeAndOnlyInsideTheFile() {
        RecentPages pages = new RecentPages(BYTES, PERIOD, 0);
        pages.seen(4096, 4096);
        assertThat(pages.use(4096, 4096)).isTrue();
        assertThat(pages.use(4095, 2)).isFalse();
        assertThat(pages.use(8191, 2)).isFalse();
        pages.seen(BYTES - 4096, 8192);
        assertThat(pages.use(BYTES - 512, 512)).isTrue();
        assertThat(pages.use(BYTES - 512, 513)).isFalse();
        assertThat(pages.use(2 * BYTES, 1)).isFalse();
    }

    /** Against a map of page to the time of its last use. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void neverRecentLongerThanTwoPeriods(long seed) {
        Random random = new Random(seed);
        RecentPages pages = new RecentPages(BYTES, PERIOD, 0);
        Map<Long, Long> lastUse = new HashMap<>();
        long now = 0;
        for (int i = 0; i < 20_000; i++) {
            now += random.nextInt(200) == 0 ? random.nextInt(3000) : random.nextInt(10);
            pages.passTime(now);
            long page = random.nextInt(200) * 383L;
            long offset = page << RecentPages.PAGE_SHIFT;
            switch (random.nextInt(3)) {
                case 0 -> {
                    pages.seen(offset, 4096);
                    lastUse.put(page, now);
                }
                case 1 -> {
                    boolean recent = pages.use(offset, 4096);
                    long age = now - lastUse.getOrDefault(page, Long.MIN_VALUE / 2);
                    if (recent) {
                        assertThat(age).as("seed %d, step %d", seed, i).isLessThanOrEqualTo(4 * PERIOD);
                        lastUse.put(page, now);
                    } else if (lastUse.containsKey(page)) {
                        assertThat(age).as("seed %d, step %d", seed, i).isGreaterThan(PERIOD);
                    }
                }
                default -> {
                    if (random.nextInt(10) == 0) {
                        pages.forget(offset, 4096);
                        lastUse.remove(page);
                        assertThat(pages.use(offset, 1)).isFalse();
                    }
                }
            }
        }
    }
}
