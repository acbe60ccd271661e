package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A driver that first behaves and then writes anything into rings and tables, before and while the device runs. Nothing
 * but a {@link GuestFaultException} may come of it, and no chain that reaches outside the guest's memory.
 */
class HostileDriverTest {
    private static final int DATA_BYTES = 4096;
    private static final int[] SIZES = {1, 2, 3, 4, 7, 8, 16, 64};

    private long faults;
    private long chains;

    @Test
    void anyBytesInTheRingsAreAGuestFaultAtMost() {
        Assertions.assertTimeoutPreemptively(Duration.ofMinutes(2), () -> seeds(1, 12_000));
        assertThat(faults).as("seeds that ended in a fault").isGreaterThan(1000);
        assertThat(chains).as("chains taken").isGreaterThan(10_000);
    }

    @Tag("long")
    @Test
    void anyBytesInTheRingsAreAGuestFaultAtMostForLong() {
        Assertions.assertTimeoutPreemptively(Duration.ofMinutes(60), () -> seeds(100_000, 2_000_000));
    }

    private void seeds(long first, int count) {
        for (long seed = first; seed < first + count; seed++) {
            try {
                attack(seed);
            } catch (Exception | AssertionError e) {
                fail("seed " + seed, e);
            }
        }
    }

    private void attack(long seed) throws DeviceFaultException {
        Random random = new Random(seed);
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
        try (Virtqueue queue = new Virtqueue(size, features, indirect, DATA_BYTES)) {
            QueueState state = Virtqueue.anyState(random, size, packed);
            DriverQueue driver = DriverQueue.create(queue.rings, state);
            DeviceQueue device = queue.device(state);
            List<DescriptorChain> held = new ArrayList<>();
            DescriptorChain chain = queue.newChain();
            try {
                for (int round = 0; round < 20; round++) {
                    addSome(driver, random);
                    corrupt(queue, random);
                    serve(queue, device, chain, random);
                }
            } catch (GuestFaultException e) {
                faults++;
                assertThat(e).hasMessageMatching("(?s).+");
            }
            // The queue is of no use any more, but whoever stops the device still asks where it stands.
            assertThat(device.state()).isNotNull();
            assertThat(device.inFlight()).isNotNegative();
            assertThat(held).isEmpty();
        }
    }

    private static void addSome(DriverQueue driver, Random random) throws DeviceFaultException {
        int count = random.nextInt(4);
        for (int i = 0; i < count; i++) {
            int pieces = random.nextInt(1, Math.min(4, driver.size()) + 1);
            int readable = random.nextInt(pieces + 1);
            long[] addresses = new long[pieces];
            int[] lengths = new int[pieces];
            for (int j = 0; j < pieces; j++) {
                addresses[j] = Virtqueue.DATA + random.nextInt(DATA_BYTES - 512);
                lengths[j] = random.nextInt(1, 512);
            }
            driver.add(addresses, lengths, readable, pieces - readable, i);
        }
        driver.publish();
        try {
            for (int i = 0; i < driver.size() && driver.poll(); i++) {
                // Room for more.
            }
        } catch (DeviceFaultException e) {
            // It spoiled its own rings.
        }
    }

    /** Mostly small damage, so that the device gets far; at times all of it. */
    private static void corrupt(Virtqueue queue, Random random) {
        MemorySegment rings = queue.ringMemory;
        int how = random.nextInt(10);
        if (how == 0) {
            byte[] bytes = new byte[(int) rings.byteSize()];
            random.nextBytes(bytes);
            rings.copyFrom(MemorySegment.ofArray(bytes));
            return;
        }
        int hits = how < 6 ? 0 : random.nextInt(1, 4);
        for (int i = 0; i < hits; i++) {
            long offset = random.nextLong(rings.byteSize());
            switch (random.nextInt(4)) {
                case 0 -> rings.set(ValueLayout.JAVA_BYTE, offset, (byte) random.nextInt());
                case 1 ->
                    rings.set(ValueLayout.JAVA_BYTE, offset, (byte)
                            (rings.get(ValueLayout.JAVA_BYTE, offset) ^ 1 << random.nextInt(8)));
                case 2 -> rings.set(ValueLayout.JAVA_SHORT, offset & -2, (short) random.nextInt(-4, 70));
                default -> rings.set(ValueLayout.JAVA_LONG, offset & -8, address(queue, random));
            }
        }
    }

    private static long address(Virtqueue queue, Random random) {
        return switch (random.nextInt(5)) {
            case 0 -> Virtqueue.DATA + DATA_BYTES - random.nextInt(3);
            case 1 -> Virtqueue.RINGS + random.nextLong(queue.ringMemory.byteSize());
            case 2 -> -random.nextInt(1, 64);
            case 3 -> Long.MAX_VALUE - random.nextInt(64);
            default -> random.nextLong();
        };
    }

    private void serve(Virtqueue queue, DeviceQueue device, DescriptorChain chain, Random random)
            throws GuestFaultException {
        boolean more = device.enableNotifications();
        // A driver can show at most a ring full of new buffers while nothing is completed.
        for (int i = 0; more && i < 2 * device.size(); i++) {
            more = device.next(chain);
            if (more) {
                chains++;
                check(queue, chain);
                device.complete(chain, random.nextLong(chain.writableBytes() + 1));
            }
        }
        device.publish();
    }

    /** Every segment is inside the guest's memory, on the host too. */
    private static void check(Virtqueue queue, DescriptorChain chain) throws GuestFaultException {
        long readable = 0;
        long writable = 0;
        for (int i = 0; i < chain.segmentCount(); i++) {
            long bytes = chain.segmentBytes(i);
            MemorySegment inside = queue.memory.slice(chain.segmentGuestAddress(i), bytes);
            if (bytes <= 0 || inside.address() != chain.segmentHostAddress(i)) {
                throw new AssertionError("segment " + i + " is not what its address says");
            }
            if (i < chain.readableCount()) {
                readable += bytes;
            } else {
                writable += bytes;
            }
        }
        if (readable != chain.readableBytes() || writable != chain.writableBytes()) {
            throw new AssertionError("the segments do not add up");
        }
    }
}
