package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that one queue leaves in flight and another takes up, by way of what travels. */
class InflightRegionTest {
    private static final int SIZE = 8;

    private final DescriptorChain chain = HandRing.chain();

    private static MemorySegment region(boolean packed) {
        return Arena.ofAuto().allocate(InflightRegion.byteCount(SIZE, packed), 64);
    }

    private static QueueConfig config(
            HandRing ring, long features, QueueState state, @Nullable MemorySegment region, InflightRequests carried) {
        QueueConfig plain = ring.config(features, state, region);
        return new QueueConfig(
                plain.size(),
                plain.descriptorAddress(),
                plain.driverAddress(),
                plain.deviceAddress(),
                plain.features(),
                state,
                region,
                carried);
    }

    private static void offer(HandRing ring, int number) {
        if (ring.packed) {
            ring.packed(number, true, ring.data(0), number + 1, number, HandRing.WRITE);
        } else {
            ring.split(number, ring.data(0), number + 1, HandRing.WRITE, 0);
            ring.offer(number);
        }
    }

    /** Takes the chains 0 to 4, uses the first and the third; what is in flight are 1, 3 and 4. */
    private DeviceQueue leave(HandRing ring, MemorySegment region) throws GuestFaultException {
        DeviceQueue queue = DeviceQueue.create(ring.config(0, QueueState.initial(ring.packed), region), ring.memory);
        DescriptorChain first = HandRing.chain();
        DescriptorChain third = HandRing.chain();
        for (int i = 0; i < 5; i++) {
            offer(ring, i);
            assertThat(queue.next(i == 0 ? first : i == 2 ? third : chain)).isTrue();
        }
        queue.complete(third, 3);
        queue.complete(first, 1);
        queue.publish();
        return queue;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void travelsFromOneRegionToAnother(boolean packed) throws Exception {
        HandRing ring = new HandRing(SIZE, packed);
        MemorySegment left = region(packed);
        DeviceQueue source = leave(ring, left);
        InflightRequests requests = InflightRegion.read(left, SIZE, source.state());
        assertThat(requests.count()).isEqualTo(3);

        MemorySegment written = region(packed);
        InflightRegion.write(written, SIZE, source.state(), requests);
        assertThat(InflightRegion.read(written, SIZE, source.state())).isEqualTo(requests);

        offer(ring, 5);
        DeviceQueue queue = DeviceQueue.create(config(ring, 0, source.state(), region(packed), requests), ring.memory);
        assertThat(queue.state()).isEqualTo(source.state());
        assertThat(queue.inFlight()).isEqualTo(3);
        for (int number : new int[] {1, 3, 4, 5}) {
            assertThat(queue.unfinished()).isEqualTo(Math.max(0, 4 - number + (number == 1 ? 0 : 1)));
            assertThat(queue.next(chain)).isTrue();
            assertThat(chain.writableBytes()).isEqualTo(number + 1);
            queue.complete(chain, 0);
        }
        assertThat(queue.next(chain)).isFalse();
        queue.publish();
        assertThat(queue.inFlight()).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void newRequestsPassHeldOnes(boolean packed) throws Exception {
        HandRing ring = new HandRing(SIZE, packed);
        MemorySegment left = region(packed);
        DeviceQueue source = leave(ring, left);
        DeviceQueue queue =
                DeviceQueue.create(config(ring, 0, source.state(), left, InflightRequests.none()), ring.memory);
        queue.holdUnfinished(true);
        assertThat(queue.hasNext()).isFalse();
        assertThat(queue.next(chain)).isFalse();
        assertThat(queue.enableNotifications()).isFalse();
        offer(ring, 5);
        assertThat(queue.hasNext()).isTrue();
        assertThat(queue.next(chain)).isTrue();
        assertThat(chain.writableBytes()).isEqualTo(6);
        queue.complete(chain, 6);
        queue.publish();
        assertThat(queue.inFlight()).isEqualTo(3);
        assertThat(queue.unfinished()).isEqualTo(3);
        assertThat(InflightRegion.read(left, SIZE, queue.state()).count()).isEqualTo(3);
        queue.holdUnfinished(false);
        for (int number : new int[] {1, 3, 4}) {
            assertThat(queue.next(chain)).isTrue();
            assertThat(chain.writableBytes()).isEqualTo(number + 1);
            queue.complete(chain, 0);
        }
        queue.publish();
        assertThat(queue.inFlight()).isZero();
        assertThat(InflightRegion.read(left, SIZE, queue.state()).isEmpty()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void inOrderWhatIsNewWaitsForHeldOnes(boolean packed) throws Exception {
        HandRing ring = new HandRing(SIZE, packed);
        MemorySegment left = region(packed);
        DeviceQueue source = leave(ring, left);
        DeviceQueue queue = DeviceQueue.create(
                config(ring, Feature.IN_ORDER, source.state(), left, InflightRequests.none()), ring.memory);
        queue.holdUnfinished(true);
        offer(ring, 5);
        assertThat(queue.next(chain)).isTrue();
        queue.complete(chain, 6);
        queue.publish();
        assertThat(queue.inFlight()).isEqualTo(4);
        assertThat(InflightRegion.read(left, SIZE, queue.state()).count()).isEqualTo(4);
        queue.holdUnfinished(false);
        for (int i = 0; i < 3; i++) {
            assertThat(queue.next(chain)).isTrue();
            queue.complete(chain, 0);
        }
        queue.publish();
        assertThat(queue.inFlight()).isZero();
    }

    @Test
    void refusesWhatContradictsTheRingOrTheRegion() throws Exception {
        for (boolean packed : new boolean[] {false, true}) {
            HandRing ring = new HandRing(SIZE, packed);
            MemorySegment left = region(packed);
            DeviceQueue source = leave(ring, left);
            InflightRequests requests = InflightRegion.read(left, SIZE, source.state());
            // The region that carries the same requests itself.
            DeviceQueue.create(config(ring, 0, source.state(), left, requests), ring.memory);
            for (InflightRequests wrong : List.of(less(requests), otherLayout(requests))) {
                assertThatExceptionOfType(GuestFaultException.class)
                        .as("%s into a new region", wrong)
                        .isThrownBy(() -> DeviceQueue.create(
                                config(ring, 0, source.state(), region(packed), wrong), ring.memory));
            }
            for (InflightRequests wrong : List.of(less(requests), otherLayout(requests), otherIds(requests))) {
                assertThatExceptionOfType(GuestFaultException.class)
                        .as("%s beside the region", wrong)
                        .isThrownBy(
                                () -> DeviceQueue.create(config(ring, 0, source.state(), left, wrong), ring.memory));
            }
            assertThatIllegalArgumentException().isThrownBy(() -> config(ring, 0, source.state(), null, requests));
            assertThatExceptionOfType(GuestFaultException.class)
                    .isThrownBy(() -> InflightRegion.write(left, SIZE, source.state(), otherIds(requests)));
            assertThat(InflightRegion.read(left, SIZE, source.state())).isEqualTo(requests);
        }
    }

    private static InflightRequests less(InflightRequests requests) {
        return switch (requests) {
            case InflightRequests.Split split ->
                new InflightRequests.Split(split.heads().subList(1, 3));
            case InflightRequests.Packed packed ->
                new InflightRequests.Packed(packed.chains().subList(1, 3));
        };
    }

    private static InflightRequests.Chain oneDescriptor(int id) {
        return new InflightRequests.Chain(List.of(new InflightRequests.Descriptor(HandRing.BASE, 1, id, 0)));
    }

    private static InflightRequests otherLayout(InflightRequests requests) {
        return requests instanceof InflightRequests.Packed
                ? new InflightRequests.Split(List.of(1, 3, 4))
                : new InflightRequests.Packed(List.of(oneDescriptor(1), oneDescriptor(3), oneDescriptor(4)));
    }

    private static InflightRequests otherIds(InflightRequests requests) {
        return requests instanceof InflightRequests.Split
                ? new InflightRequests.Split(List.of(1, 3, 5))
                : new InflightRequests.Packed(List.of(oneDescriptor(1), oneDescriptor(3), oneDescriptor(5)));
    }

    @Test
    void requestsThatNoQueueCanHaveLeftAreRefused() throws Exception {
        new InflightRequests.Split(List.of(7, 0, 3)).requireFit(SIZE);
        InflightRequests.Descriptor last = new InflightRequests.Descriptor(-1, -1, 7, HandRing.WRITE);
        InflightRequests.Descriptor before = new InflightRequests.Descriptor(0, 0, 0xffff, 0xffff);
        new InflightRequests.Packed(List.of(new InflightRequests.Chain(List.of(before, last)))).requireFit(SIZE);
        for (List<Integer> heads : List.of(List.of(8), List.of(-1), List.of(2, 3, 2), List.of(0x10000))) {
            assertThatExceptionOfType(GuestFaultException.class)
                    .isThrownBy(() -> new InflightRequests.Split(heads).requireFit(SIZE));
        }
        List<List<InflightRequests.Descriptor>> chains = List.of(
                List.of(),
                List.of(before),
                List.of(last, last),
                List.of(new InflightRequests.Descriptor(0, 1, 8, 0)),
                List.of(new InflightRequests.Descriptor(0, 1, -1, 0)),
                List.of(new InflightRequests.Descriptor(0, 1, 0, 0x10000)),
                List.of(before, before, before, before, before, before, before, before, last));
        for (List<InflightRequests.Descriptor> each : chains) {
            assertThatExceptionOfType(GuestFaultException.class)
                    .as("%s", each)
                    .isThrownBy(() ->
                            new InflightRequests.Packed(List.of(new InflightRequests.Chain(each))).requireFit(SIZE));
        }
        assertThatExceptionOfType(GuestFaultException.class)
                .isThrownBy(() ->
                        new InflightRequests.Packed(List.of(oneDescriptor(3), oneDescriptor(3))).requireFit(SIZE));
    }

    @Test
    void aChainThatIsAvailableTwiceIsAFault() throws Exception {
        HandRing ring = new HandRing(SIZE, false);
        DeviceQueue queue = DeviceQueue.create(ring.config(0, QueueState.initial(false), region(false)), ring.memory);
        offer(ring, 2);
        offer(ring, 2);
        assertThat(queue.next(chain)).isTrue();
        assertThatExceptionOfType(GuestFaultException.class)
                .isThrownBy(() -> queue.next(HandRing.chain()))
                .withMessageContaining("before it was used");
        assertThat(queue.inFlight()).isEqualTo(1);
    }

    @Test
    void aRegionOfAKilledQueueIsNotRead() throws Exception {
        HandRing ring = new HandRing(SIZE, true);
        MemorySegment left = region(true);
        DeviceQueue source = leave(ring, left);
        left.set(java.lang.foreign.ValueLayout.JAVA_SHORT, 16, (short) 5);
        assertThatExceptionOfType(GuestFaultException.class)
                .isThrownBy(() -> InflightRegion.read(left, SIZE, source.state()));
        assertThat(InflightRegion.read(region(true), SIZE, source.state()).isEmpty())
                .isTrue();
        assertThat(InflightRegion.read(region(false), SIZE, new QueueState.Split(3, 3))
                        .isEmpty())
                .isTrue();
    }
}
