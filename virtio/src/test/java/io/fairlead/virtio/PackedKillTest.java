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
class PackedKillTest {
    private static final int OPERATIONS = 300;

    /** What the driver knows of a buffer: its number, which is also the length of its first descriptor. */
    private record Offer(int number, int slots) {}

    /** The driver's place in the ring. */
    private record Place(int slot, boolean wrap) {
        Place plus(int slots, int size) {
            int next = slot + slots;
            return next < size ? new Place(next, wrap) : new Place(next - size, !wrap);
        }
    }

    /** A region that calls back after every store. */
    private static final class Watched extends PackedInflight {
        private final Runnable onStore;

        Watched(MemorySegment region, int size, Runnable onStore) {
            super(region, size);
            this.onStore = onStore;
        }

        @Override
        void stored() {
            onStore.run();
        }
    }

    /** One run with one seed. */
    private static final class Run {
        private final Arena arena = Arena.ofAuto();
        private final int size;
        private final long seed;
        private final long features;
        private final Random random;
        private final HandRing ring;
        private final HandRing copy;
        private final HandRing second;
        private final MemorySegment region;
        private final MemorySegment regionCopy;
        private final MemorySegment secondRegion;
        private final DescriptorChain firstChain = HandRing.chain();
        private final DescriptorChain secondChain = HandRing.chain();
        private final Deque<DescriptorChain> spare = new ArrayDeque<>();

        /** Offered and not yet seen used, by id. */
        private final Map<Integer, Offer> offered = new HashMap<>();

        private Place nextOffer = new Place(0, true);
        private Place nextUsed = new Place(0, true);
        private int freeSlots;
        private int offers;
        private int kills;

        Run(int size, long seed, long features) {
            this.size = size;
            this.seed = seed;
            this.features = features;
            random = new Random(seed);
            ring = newRing();
            copy = newRing();
            second = newRing();
            region = newRegion();
            regionCopy = newRegion();
            secondRegion = newRegion();
            freeSlots = size;
            for (int i = 0; i <= size; i++) {
                spare.push(HandRing.chain());
            }
        }

        private HandRing newRing() {
            return new HandRing(
                    size, true, arena.allocate(HandRing.byteCount(size) - HandRing.DATA_BYTES + 0x1000, 64));
        }

        private MemorySegment newRegion() {
            return arena.allocate(PackedInflight.byteCount(size), 64);
        }

        void run() throws GuestFaultException {
            List<DescriptorChain> taken = new ArrayList<>();
            DeviceQueue queue =
                    new PackedDeviceQueue(ring.config(features), ring.memory, new Watched(region, size, this::kill));
            for (int i = 0; i < OPERATIONS; i++) {
                switch (random.nextInt(7)) {
                    case 0, 1 -> offer();
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
                            queue.complete(chain, chain.segmentBytes(0));
                            spare.push(chain);
                        }
                    }
                    default -> {
                        queue.publish();
                        nextUsed = reap(ring, nextUsed, offered, true);
                    }
                }
            }
            assertThat(kills).isGreaterThan(OPERATIONS / 2);
        }

        private void offer() {
            if (freeSlots == 0) {
                return;
            }
            int slots = random.nextInt(5) == 0 ? freeSlots : 1 + random.nextInt(Math.min(3, freeSlots));
            int id = random.nextInt(size);
            while (offered.containsKey(id)) {
                id = (id + 1) % size;
            }
            offers++;
            offered.put(id, new Offer(offers, slots));
            freeSlots -= slots;
            for (int i = slots - 1; i >= 0; i--) {
                Place place = nextOffer.plus(i, size);
                int flags = HandRing.WRITE | (i == slots - 1 ? 0 : HandRing.NEXT);
                ring.packed(place.slot, place.wrap, ring.data(i), i == 0 ? offers : 1, id, flags);
            }
            nextOffer = nextOffer.plus(slots, size);
        }

        /** The driver takes used descriptors off a list of offers; returns where it then stands. */
        private Place reap(HandRing from, Place start, Map<Integer, Offer> offers, boolean own) {
            Place place = start;
            int laps = 0;
            while (from.isUsed(place.slot, place.wrap)) {
                Offer offer = offers.remove(from.packedId(place.slot));
                assertThat(offer)
                        .as("used once only, seed %d, kill %d", seed, kills)
                        .isNotNull();
                assertThat(from.packedLength(place.slot)).isEqualTo(offer.number);
                place = place.plus(offer.slots, size);
                laps += offer.slots;
                assertThat(laps).isLessThanOrEqualTo(size);
                if (own) {
                    freeSlots += offer.slots;
                }
            }
            return place;
        }

        private void kill() {
            kills++;
            copy.host.copyFrom(ring.host);
            regionCopy.copyFrom(region);
            restart(copy, new Watched(regionCopy, size, this::killAgain), firstChain);
        }

        private void killAgain() {
            second.host.copyFrom(copy.host);
            secondRegion.copyFrom(regionCopy);
            restart(second, new Watched(secondRegion, size, () -> {}), secondChain);
        }

        private void restart(HandRing left, PackedInflight inflight, DescriptorChain chain) {
            Map<Integer, Offer> outstanding = new HashMap<>(offered);
            Place seen = reap(left, nextUsed, outstanding, false);
            List<Integer> expected =
                    outstanding.values().stream().map(Offer::number).sorted().toList();
            List<Integer> found = new ArrayList<>();
            try {
                // A region that was never made ready leaves the start to the state, which nothing had moved by then.
                DeviceQueue queue = new PackedDeviceQueue(left.config(features), left.memory, inflight);
                while (queue.next(chain)) {
                    found.add((int) chain.segmentBytes(0));
                    queue.complete(chain, chain.segmentBytes(0));
                }
                assertThat(found).as("seed %d, kill %d", seed, kills).isEqualTo(expected);
                assertThat(queue.inFlight()).isEqualTo(expected.size());
                queue.publish();
                assertThat(queue.state())
                        .isEqualTo(
                                new QueueState.Packed(nextOffer.slot, nextOffer.wrap, nextOffer.slot, nextOffer.wrap));
            } catch (GuestFaultException e) {
                throw new AssertionError("seed " + seed + ", kill " + kills, e);
            }
            reap(left, seen, outstanding, false);
            assertThat(outstanding).as("seed %d, kill %d", seed, kills).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void nothingIsLostOrDoubled(long seed) throws Exception {
        new Run(8, seed, 0).run();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void nothingIsLostOrDoubledInASizeThatIsNoPowerOfTwo(long seed) throws Exception {
        new Run(3, seed, 0).run();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2})
    void nothingIsLostOrDoubledInAQueueOfOne(long seed) throws Exception {
        new Run(1, seed, 0).run();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void nothingIsLostOrDoubledInOrder(long seed) throws Exception {
        new Run(5, seed, Feature.IN_ORDER).run();
    }
}
