package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A device that writes anything anywhere in the rings. Nothing but a {@link DeviceFaultException} may come of it, no
 * token comes back twice or from nowhere, and a reset gives back the rest.
 */
class HostileDeviceTest {
    private static final int[] SIZES = {1, 2, 3, 4, 7, 8, 16, 64};

    private long faults;
    private long usedBuffers;

    @Test
    void anyBytesInTheRingsAreADeviceFaultAtMost() {
        Assertions.assertTimeoutPreemptively(Duration.ofMinutes(2), () -> seeds(1, 12_000));
        assertThat(faults).as("seeds that ended in a fault").isGreaterThan(1000);
        assertThat(usedBuffers).as("buffers used").isGreaterThan(10_000);
    }

    @Tag("long")
    @Test
    void anyBytesInTheRingsAreADeviceFaultAtMostForLong() {
        Assertions.assertTimeoutPreemptively(Duration.ofMinutes(60), () -> seeds(100_000, 2_000_000));
    }

    private void seeds(long first, int count) {
        for (long seed = first; seed < first + count; seed++) {
            try {
                new Attack(seed).run();
            } catch (Exception | AssertionError e) {
                fail("seed " + seed, e);
            }
        }
    }

    private final class Attack {
        private final Random random;
        private final Set<Long> out = new HashSet<>();
        private final Set<Long> published = new HashSet<>();
        private long nextToken;
        private int roomBytes;

        Attack(long seed) {
            random = new Random(seed);
        }

        void run() {
            boolean packed = random.nextBoolean();
            int size = SIZES[random.nextInt(SIZES.length)];
            if (!packed) {
                size = Integer.highestOneBit(size);
            }
            long features = Feature.VERSION_1
                    | (packed ? Feature.RING_PACKED : 0)
                    | (random.nextBoolean() ? Feature.EVENT_IDX : 0)
                    | (random.nextBoolean() ? Feature.INDIRECT_DESC : 0)
                    | (random.nextBoolean() ? Feature.IN_ORDER : 0);
            int indirect = Feature.has(features, Feature.INDIRECT_DESC) ? 4 : 0;
            try (Virtqueue queue = new Virtqueue(size, features, indirect, 64)) {
                QueueState state = Virtqueue.anyState(random, size, packed);
                DriverQueue driver = DriverQueue.create(queue.rings, state);
                for (int life = 0; life < 2; life++) {
                    try {
                        for (int round = 0; round < 30; round++) {
                            addSome(driver);
                            if (packed) {
                                usePacked(queue);
                            } else {
                                useSplit(queue);
                            }
                            if (random.nextInt(3) != 0) {
                                publish(driver);
                            }
                            driver.enableInterrupts();
                            pollAll(queue, driver);
                        }
                    } catch (DeviceFaultException e) {
                        faults++;
                    }
                    assertThat(driver.state()).isNotNull();
                    driver.reset(this::back);
                    assertThat(out).isEmpty();
                    assertThat(driver.outstanding()).isZero();
                    assertThat(driver.freeDescriptors()).isEqualTo(size);
                }
            }
        }

        private void addSome(DriverQueue driver) {
            int count = random.nextInt(4);
            for (int i = 0; i < count; i++) {
                int pieces = random.nextInt(1, Math.min(4, driver.size()) + 1);
                long[] addresses = new long[pieces];
                int[] lengths = new int[pieces];
                for (int j = 0; j < pieces; j++) {
                    addresses[j] = random.nextLong();
                    lengths[j] = 100;
                }
                roomBytes = Math.max(roomBytes, 100 * pieces);
                if (driver.add(addresses, lengths, 0, pieces, nextToken)) {
                    out.add(nextToken++);
                }
            }
            if (random.nextBoolean()) {
                publish(driver);
            }
        }

        private void publish(DriverQueue driver) {
            driver.publish();
            published.addAll(out);
        }

        private void pollAll(Virtqueue queue, DriverQueue driver) throws DeviceFaultException {
            // More than a ring full cannot come, as nothing is added meanwhile.
            for (int i = 0; i <= driver.size(); i++) {
                if (!driver.poll()) {
                    return;
                }
                usedBuffers++;
                if (!published.contains(driver.token())) {
                    throw new AssertionError("token " + driver.token() + " was not published");
                }
                back(driver.token());
                if (driver.state() instanceof QueueState.Split state) {
                    int index = queue.rings.deviceArea().get(ValueLayout.JAVA_SHORT, RingLayout.USED_INDEX);
                    // Signed: what the driver took beyond the device's index is negative.
                    if ((short) (index - state.usedIndex()) < 0
                            || (short) (index - state.usedIndex()) >= driver.size()) {
                        throw new AssertionError("used index " + index + " but " + state);
                    }
                }
                if (driver.writtenBytes() < 0 || driver.writtenBytes() > roomBytes) {
                    throw new AssertionError("written " + driver.writtenBytes());
                }
            }
            throw new AssertionError("more used buffers than entries");
        }

        private void back(long token) {
            published.remove(token);
            if (!out.remove(token)) {
                throw new AssertionError("token " + token + " came back twice or from nowhere");
            }
        }

        /** Used elements with small ids and lengths, an index a little ahead; at times plain noise. */
        private void useSplit(Virtqueue queue) {
            MemorySegment used = queue.rings.deviceArea();
            int size = queue.rings.size();
            for (int i = 0; i < size; i++) {
                long at = RingLayout.usedElement(i);
                boolean wild = random.nextInt(30) == 0;
                used.set(ValueLayout.JAVA_INT, at, wild ? random.nextInt() : random.nextInt(size));
                used.set(ValueLayout.JAVA_INT, at + 4, wild ? random.nextInt() : random.nextInt(101));
            }
            int index = used.get(ValueLayout.JAVA_SHORT, RingLayout.USED_INDEX);
            int moved = random.nextInt(30) == 0 ? random.nextInt() : random.nextInt(3);
            used.set(ValueLayout.JAVA_SHORT, RingLayout.USED_INDEX, (short) (index + moved));
        }

        private void usePacked(Virtqueue queue) {
            MemorySegment ring = queue.rings.descriptors();
            int size = queue.rings.size();
            int hits = random.nextInt(3);
            for (int i = 0; i < hits; i++) {
                long at = RingLayout.descriptor(random.nextInt(size));
                boolean wild = random.nextInt(30) == 0;
                int wrap = random.nextBoolean() ? RingLayout.PACKED_AVAIL | RingLayout.PACKED_USED : 0;
                int flags = wild ? random.nextInt() : wrap | (random.nextBoolean() ? RingLayout.WRITE : 0);
                ring.set(ValueLayout.JAVA_INT, at + 8, wild ? random.nextInt() : random.nextInt(101));
                ring.set(ValueLayout.JAVA_SHORT, at + 12, (short) (wild ? random.nextInt() : random.nextInt(size)));
                ring.set(ValueLayout.JAVA_SHORT, at + 14, (short) flags);
            }
            queue.rings.deviceArea().set(ValueLayout.JAVA_INT, 0, random.nextInt());
        }
    }
}
