package io.fairlead.devices.base;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.vdpa.VdpaDevice.StopMode;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.InflightRegion;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * Random requests whose work ends at random instants, while the queue is frozen again and again and goes on in the same
 * device or in another one: each is answered exactly once, and nobody begins one on which the host still works.
 */
class FreezeModelTest {
    private static final int SIZE = 16;
    private static final int SLOTS = 32;
    private static final int SLOT_BYTES = 64;

    @TestFactory
    Stream<DynamicTest> everyRequestIsAnsweredOnce() {
        return runs(1, 6, 300);
    }

    @Tag("long")
    @TestFactory
    Stream<DynamicTest> everyRequestIsAnsweredOnceForLong() {
        return runs(1000, 1100, 4000);
    }

    private static Stream<DynamicTest> runs(long firstSeed, long lastSeed, int steps) {
        List<DynamicTest> tests = new ArrayList<>();
        for (long layout : new long[] {0, Feature.RING_PACKED}) {
            for (long extra : new long[] {0, Feature.EVENT_IDX | Feature.INDIRECT_DESC, Feature.IN_ORDER}) {
                for (long seed = firstSeed; seed <= lastSeed; seed++) {
                    long s = seed;
                    long features = Feature.VERSION_1 | layout | extra;
                    String name = "%s, features 0x%x, seed %d".formatted(layout == 0 ? "split" : "packed", extra, s);
                    tests.add(DynamicTest.dynamicTest(name, () -> new Run(features, s).run(steps)));
                }
            }
        }
        return tests.stream();
    }

    private static final class Run {
        private final long features;
        private final boolean packed;
        private final Random random;
        private final HeldRequests.Host host = new HeldRequests.Host();
        private final Arena arena = Arena.ofShared();
        private final List<HeldRequests> devices = new ArrayList<>();
        private final Map<Long, Integer> outstanding = new HashMap<>();
        private final List<Integer> freeSlots = new ArrayList<>();
        private Guest guest;
        private HeldRequests current;
        private @Nullable MemorySegment region;
        private int submitted;
        private int answered;
        private int carried;

        Run(long features, long seed) {
            this.features = features;
            packed = Feature.has(features, Feature.RING_PACKED);
            random = new Random(seed);
        }

        void run(int steps) throws Exception {
            try (EventLoopGroup loops = new EventLoopGroup(2)) {
                devices.add(new HeldRequests("a", host, loops));
                devices.add(new HeldRequests("b", host, loops));
                current = devices.getFirst();
                boolean indirect = Feature.has(features, Feature.INDIRECT_DESC);
                guest = new Guest(current, 1 << 20, SIZE, indirect ? 4 : 0);
                for (int i = 0; i < SLOTS; i++) {
                    freeSlots.add(i);
                }
                guest.attach(devices.getLast());
                devices.forEach(device -> device.driverFeatures(features));
                guest.prepareQueue(0, features);
                region = newRegion();
                current.queueInflight(0, region);
                current.queueReady(0, true);
                for (int i = 0; i < steps; i++) {
                    step();
                    assertThat(host.faults).isEmpty();
                }
                long deadline = System.nanoTime() + SECONDS.toNanos(30);
                while (answered < submitted) {
                    host.working().forEach(host::end);
                    poll();
                    assertThat(host.faults).isEmpty();
                    LockSupport.parkNanos(10_000);
                    if (System.nanoTime() > deadline) {
                        throw new AssertionError("no answer to %s; worked on: %s; %s; status %d at %s"
                                .formatted(outstanding, host.working(), host.faults, current.status(), current.name()));
                    }
                }
                for (HeldRequests device : devices) {
                    assertThat(device.status() & 64).isZero();
                    device.settled().toCompletableFuture().get(20, SECONDS);
                    device.close();
                }
                guest.close();
                arena.close();
                assertThat(host.faults).isEmpty();
                assertThat(outstanding).isEmpty();
                assertThat(carried).isPositive();
            }
        }

        private MemorySegment newRegion() {
            return arena.allocate(InflightRegion.byteCount(SIZE, packed), 64);
        }

        private void step() throws Exception {
            switch (random.nextInt(8)) {
                case 0, 1, 2 -> submit();
                case 3, 4 -> endSome();
                case 5, 6 -> poll();
                default -> freeze();
            }
        }

        private void submit() {
            for (int i = random.nextInt(4); i >= 0 && !freeSlots.isEmpty(); i--) {
                int pieces = 1 + random.nextInt(2);
                if (!guest.queue(0).hasRoom(2 * pieces)) {
                    break;
                }
                int slot = freeSlots.removeLast();
                int number = ++submitted * 2;
                long offset = guest.dataOffset() + (long) slot * SLOT_BYTES;
                guest.memory().set(ValueLayout.JAVA_INT, offset, number);
                guest.memory().set(ValueLayout.JAVA_INT, offset + 8, 0);
                long address = Guest.BASE + offset;
                if (pieces == 1) {
                    guest.queue(0).add(new long[] {address, address + 8}, new int[] {4, 4}, 1, 1, slot);
                } else {
                    guest.queue(0)
                            .add(
                                    new long[] {address, address + 1, address + 8, address + 10},
                                    new int[] {1, 3, 2, 2},
                                    2,
                                    2,
                                    slot);
                }
                outstanding.put((long) slot, number);
            }
            guest.publish(0);
            // Some freezes find requests that were taken, others find them in the ring.
            if (random.nextBoolean()) {
                LockSupport.parkNanos(random.nextInt(200_000));
            }
        }

        private void endSome() {
            for (int number : host.working()) {
                if (random.nextInt(3) == 0) {
                    host.end(number);
                }
            }
        }

        private void poll() throws DeviceFaultException {
            while (guest.queue(0).poll()) {
                long slot = guest.queue(0).token();
                Integer number = outstanding.remove(slot);
                assertThat(number).as("answered once").isNotNull();
                long offset = guest.dataOffset() + slot * SLOT_BYTES;
                assertThat(HeldRequests.intAt(guest, offset + 8)).isEqualTo(number + 1);
                freeSlots.add((int) slot);
                answered++;
            }
        }

        private void freeze() throws Exception {
            // Without memory and with nothing left, the next freeze would be a drain, which waits for what is held
            // here.
            boolean suspends = region != null && random.nextInt(4) == 0;
            current.stopMode(StopMode.FREEZE);
            if (suspends) {
                current.suspend();
            } else {
                current.queueReady(0, false);
            }
            QueueState state = current.queueState(0);
            InflightRequests left = current.inflightRequests(0);
            carried += left.count();
            if (state instanceof QueueState.Split split) {
                assertThat((split.availableIndex() - split.usedIndex()) & 0xffff)
                        .isEqualTo(left.count());
            }
            if (random.nextBoolean()) {
                endSome();
            }
            if (suspends) {
                current.resume();
            } else if (random.nextBoolean()) {
                rollBack(state);
            } else {
                move(state, left);
            }
        }

        private void rollBack(QueueState state) throws IOException {
            if (region == null || random.nextBoolean()) {
                region = newRegion();
            }
            current.queueInflight(0, region);
            if (random.nextBoolean()) {
                current.queueState(0, state);
            }
            current.queueReady(0, true);
        }

        private void move(QueueState state, InflightRequests left) throws IOException {
            HeldRequests other = current == devices.getFirst() ? devices.getLast() : devices.getFirst();
            MemorySegment old = region;
            region = switch (random.nextInt(left.isEmpty() ? 2 : 3)) {
                case 0 -> newRegion();
                // As a front-end that carries the region itself.
                case 1 -> old == null ? newRegion() : newRegion().copyFrom(old);
                default -> null;
            };
            other.carryOver(0, left, current.settled());
            other.queueState(0, state);
            other.queueInflight(0, region);
            guest.connect(other, 0);
            other.queueReady(0, true);
            current = other;
        }
    }
}
