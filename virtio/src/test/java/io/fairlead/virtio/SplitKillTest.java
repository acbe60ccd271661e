package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Kills the device after every single store that it makes to the ring or the in-flight region, and lets a new one go on
 * from what is left; kills that one while it repairs, too. Every request that the driver offered and that was not visibly
 * used comes back exactly once, in the order in which it was offered.
 */
class SplitKillTest {
    private static final int SIZE = 4;
    private static final int OPERATIONS = 300;

    /** Near the wrap of the 16-bit index, so that it happens on the way. */
    private static final int START = 0xfff0;

    private final Arena arena = Arena.ofAuto();
    private final HandRing ring = new HandRing(SIZE, false, arena.allocate(ringBytes(), 64));
    private final MemorySegment region = arena.allocate(SplitInflight.byteCount(SIZE), 64);
    private final HandRing copy = new HandRing(SIZE, false, arena.allocate(ringBytes(), 64));
    private final MemorySegment regionCopy = arena.allocate(SplitInflight.byteCount(SIZE), 64);
    private final HandRing second = new HandRing(SIZE, false, arena.allocate(ringBytes(), 64));
    private final MemorySegment secondRegion = arena.allocate(SplitInflight.byteCount(SIZE), 64);
    private final DescriptorChain firstChain = HandRing.chain();
    private final DescriptorChain secondChain = HandRing.chain();
    private final Deque<DescriptorChain> spare = new ArrayDeque<>();

    // The driver: what it offered and has not seen used, by head, with the number of the offer.
    private final Map<Integer, Integer> offered = new HashMap<>();
    private int offers;
    private int seenUsed;
    private int kills;

    private static long ringBytes() {
        return HandRing.byteCount(SIZE) - HandRing.DATA_BYTES + 0x1000;
    }

    /** A region that calls back after every store. */
    private static final class Watched extends SplitInflight {
        private final Runnable onStore;

        Watched(MemorySegment region, Runnable onStore) {
            super(region, SIZE);
            this.onStore = onStore;
        }

        @Override
        void stored() {
            onStore.run();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 101, 102, 103, 104})
    void nothingIsLostOrDoubled(long seed) throws Exception {
        run(seed, 0);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void nothingIsLostOrDoubledInOrder(long seed) throws Exception {
        run(seed, Feature.IN_ORDER);
    }

    private void run(long seed, long features) throws Exception {
        Random random = new Random(seed);
        seenUsed = START;
        ring.availableIndex = START;
        ring.put16(ring.driverOffset + 2, START);
        ring.put16(ring.deviceOffset + 2, START);
        QueueConfig config = ring.config(features, new QueueState.Split(START, START), null);
        List<DescriptorChain> taken = new ArrayList<>();
        DeviceQueue queue = new SplitDeviceQueue(config, ring.memory, new Watched(region, () -> kill(features, seed)));
        for (int i = 0; i <= SIZE; i++) {
            spare.push(HandRing.chain());
        }
        for (int i = 0; i < OPERATIONS; i++) {
            switch (random.nextInt(7)) {
                case 0, 1 -> offer(random);
                case 2, 3 -> {
                    DescriptorChain chain = spare.pop();
                    if (queue.next(chain)) {
                        taken.add(chain);
                    } else {
                        spare.push(chain);
                    }
                }
                case 4, 5 -> {
                    if (!taken.isEmpty()) {
                        DescriptorChain chain = taken.remove(random.nextInt(taken.size()));
                        queue.complete(chain, chain.writableBytes());
                        spare.push(chain);
                    }
                }
                default -> {
                    queue.publish();
                    seenUsed = reap(ring, seenUsed, offered);
                }
            }
        }
        assertThat(kills).isGreaterThan(OPERATIONS / 2);
    }

    private void offer(Random random) {
        int head = random.nextInt(SIZE);
        while (offered.containsKey(head)) {
            head = (head + 1) % SIZE;
            if (offered.size() == SIZE) {
                return;
            }
        }
        offers++;
        ring.split(head, ring.data(0), offers, HandRing.WRITE, 0);
        offered.put(head, offers);
        ring.offer(head);
    }

    /** The driver takes the used elements of a ring off a list of offers; returns the index it then stands at. */
    private static int reap(HandRing from, int seen, Map<Integer, Integer> offers) {
        int index = seen;
        while (index != from.usedIndex()) {
            Integer offer = offers.remove(from.usedId(index));
            assertThat(offer).as("used once only").isEqualTo(from.usedLength(index));
            index = (index + 1) & 0xffff;
        }
        return index;
    }

    private void kill(long features, long seed) {
        kills++;
        copy.host.copyFrom(ring.host);
        regionCopy.copyFrom(region);
        try {
            restart(copy, new Watched(regionCopy, () -> killAgain(features, seed)), features, seed);
        } catch (GuestFaultException e) {
            throw new AssertionError("seed " + seed + ", kill " + kills, e);
        }
    }

    private void killAgain(long features, long seed) {
        second.host.copyFrom(copy.host);
        secondRegion.copyFrom(regionCopy);
        try {
            restart(second, new Watched(secondRegion, () -> {}), features, seed);
        } catch (GuestFaultException e) {
            throw new AssertionError("seed " + seed + ", kill " + kills + ", second kill", e);
        }
    }

    private void restart(HandRing left, SplitInflight inflight, long features, long seed) throws GuestFaultException {
        Map<Integer, Integer> outstanding = new HashMap<>(offered);
        int seen = reap(left, seenUsed, outstanding);
        // A region that was never made ready leaves the start to the state, which nothing had moved by then.
        QueueConfig config = left.config(features, new QueueState.Split(START, START), null);
        DeviceQueue queue = new SplitDeviceQueue(config, left.memory, inflight);
        List<Integer> expected = outstanding.values().stream().sorted().toList();
        List<Integer> found = new ArrayList<>();
        DescriptorChain chain = left == copy ? firstChain : secondChain;
        while (queue.next(chain)) {
            found.add((int) chain.writableBytes());
            queue.complete(chain, chain.writableBytes());
        }
        assertThat(found).as("seed %d, kill %d", seed, kills).isEqualTo(expected);
        assertThat(queue.inFlight()).isEqualTo(expected.size());
        queue.publish();
        reap(left, seen, outstanding);
        assertThat(outstanding).as("seed %d, kill %d", seed, kills).isEmpty();
    }
}
