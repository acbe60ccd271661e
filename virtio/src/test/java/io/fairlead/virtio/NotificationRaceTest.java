package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * One side publishes at the very moment at which the other one goes to sleep, again and again: either the publisher is
 * told to signal, or the sleeper sees what was published. Without a full fence on either side both can miss.
 */
class NotificationRaceTest {
    private static final int ROUNDS = 1_500;
    private static final int LONG_ROUNDS = 300_000;

    /** Rounds begun by the driver's thread, and ended by the device's. */
    private final AtomicInteger begun = new AtomicInteger();

    private final AtomicInteger ended = new AtomicInteger();
    private volatile boolean deviceSaw;

    @ParameterizedTest
    @ValueSource(longs = {0, Feature.EVENT_IDX, Feature.RING_PACKED, Feature.RING_PACKED | Feature.EVENT_IDX})
    void oneOfTheTwoNotices(long features) throws Exception {
        race(features, ROUNDS);
    }

    @Tag("long")
    @ParameterizedTest
    @ValueSource(longs = {0, Feature.EVENT_IDX, Feature.RING_PACKED, Feature.RING_PACKED | Feature.EVENT_IDX})
    void oneOfTheTwoNoticesForLong(long features) throws Exception {
        race(features, LONG_ROUNDS);
    }

    private void race(long features, int rounds) throws Exception {
        try (Virtqueue queue = new Virtqueue(4, Feature.VERSION_1 | features, 0, 64)) {
            QueueState state = Virtqueue.anyState(new Random(3), 4, Feature.has(features, Feature.RING_PACKED));
            DriverQueue driver = DriverQueue.create(queue.rings, state);
            DeviceQueue device = queue.device(state);
            DescriptorChain chain = queue.newChain();
            Thread other = new Thread(() -> deviceSide(device, rounds));
            other.start();
            long[] address = {Virtqueue.DATA};
            int[] length = {64};
            int lost = 0;
            for (int round = 1; round <= rounds; round++) {
                boolean kickRace = (round & 1) == 0;
                driver.disableInterrupts();
                device.disableNotifications();
                driver.add(address, length, 0, 1, round);
                boolean noticed;
                if (kickRace) {
                    begun.set(round);
                    noticed = driver.publish();
                } else {
                    driver.publish();
                    assertThat(device.next(chain)).isTrue();
                    device.complete(chain, 1);
                    begun.set(round);
                    noticed = driver.enableInterrupts();
                }
                await(ended, round);
                // From here on the device is this thread's again.
                lost += noticed || deviceSaw ? 0 : 1;
                if (kickRace) {
                    assertThat(device.next(chain)).isTrue();
                    device.complete(chain, 1);
                    device.publish();
                }
                assertThat(driver.poll()).isTrue();
                assertThat(driver.token()).isEqualTo(round);
            }
            other.join();
            assertThat(lost).as("notifications that neither side noticed").isZero();
        }
    }

    /** Spins for the sake of a close race; gives way where the other thread has no processor. */
    private static void await(AtomicInteger counter, int round) {
        for (int spins = 1; counter.get() != round; spins++) {
            if (spins % 2_000 == 0) {
                LockSupport.parkNanos(1);
            } else {
                Thread.onSpinWait();
            }
        }
    }

    private void deviceSide(DeviceQueue device, int rounds) {
        for (int round = 1; round <= rounds; round++) {
            await(begun, round);
            deviceSaw = (round & 1) == 0 ? device.enableNotifications() : device.publish();
            ended.set(round);
        }
    }
}
