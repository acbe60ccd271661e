package io.fairlead.virtio;

import static io.fairlead.virtio.HandRing.INDIRECT;
import static io.fairlead.virtio.HandRing.NEXT;
import static io.fairlead.virtio.HandRing.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.fail;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SplitDeviceQueueTest {
    private static final DescriptorChain NONE = HandRing.chain();

    private final HandRing ring = new HandRing(8, false);
    private final DescriptorChain chain = HandRing.chain();

    @Test
    void takesAChainAndGivesItBack() throws Exception {
        ring.split(5, ring.data(0), 100, NEXT, 2);
        ring.split(2, ring.data(0x100), 16, NEXT | WRITE, 7);
        ring.split(7, ring.data(0x200), 1, WRITE, 99);
        ring.offer(5);
        DeviceQueue queue = ring.queue(0);

        assertThat(queue.hasNext()).isTrue();
        assertThat(queue.next(chain)).isTrue();

        assertThat(queue.size()).isEqualTo(8);
        assertThat(chain.id()).isEqualTo(5);
        assertThat(chain.descriptorCount()).isEqualTo(3);
        assertThat(chain.segmentCount()).isEqualTo(3);
        assertThat(chain.readableCount()).isEqualTo(1);
        assertThat(chain.readableBytes()).isEqualTo(100);
        assertThat(chain.writableBytes()).isEqualTo(17);
        assertThat(chain.segmentGuestAddress(1)).isEqualTo(ring.data(0x100));
        assertThat(chain.segmentHostAddress(1)).isEqualTo(ring.host.address() + ring.dataOffset + 0x100);
        assertThat(chain.segmentBytes(2)).isEqualTo(1);
        assertThat(queue.inFlight()).isEqualTo(1);
        assertThat(queue.hasNext()).isFalse();
        assertThat(queue.next(HandRing.chain())).isFalse();

        queue.complete(chain, 17);
        assertThat(ring.usedIndex()).isZero();
        assertThat(queue.inFlight()).isEqualTo(1);
        assertThat(queue.state()).isEqualTo(new QueueState.Split(1, 0));

        assertThat(queue.publish()).isTrue();
        assertThat(ring.usedIndex()).isEqualTo(1);
        assertThat(ring.usedId(0)).isEqualTo(5);
        assertThat(ring.usedLength(0)).isEqualTo(17);
        assertThat(queue.inFlight()).isZero();
        assertThat(queue.state()).isEqualTo(new QueueState.Split(1, 1));
        assertThat(queue.publish()).as("nothing more to say").isFalse();
    }

    @Test
    void indicesWrapAndCompletionsComeInAnyOrder() throws Exception {
        DeviceQueue queue = ring.queue(0);
        DescriptorChain other = HandRing.chain();
        int index = 0;
        for (int round = 0; round < 70_000; round++) {
            ring.split(0, ring.data(round % 1000), 1 + round % 7, WRITE, 0);
            ring.split(1, ring.data(0), 3, 0, 0);
            ring.offer(0);
            ring.offer(1);
            boolean taken = queue.next(chain) && queue.next(other) && !queue.next(NONE);
            queue.complete(other, 0);
            queue.complete(chain, 1 + round % 7);
            boolean used = queue.publish()
                    && ring.usedId(index) == 1
                    && ring.usedId(index + 1) == 0
                    && ring.usedLength(index + 1) == 1 + round % 7;
            index = (index + 2) & 0xffff;
            if (!taken || !used || ring.usedIndex() != index) {
                fail("round " + round);
            }
        }
    }

    @Test
    void everySizeUpTo32768() throws Exception {
        for (int size = 1; size <= 32768; size *= 2) {
            HandRing big = new HandRing(size, false);
            DeviceQueue queue = big.queue(Feature.EVENT_IDX);
            for (int i = 0; i < size; i++) {
                big.split(i, big.data(i % 1000), 8, WRITE, 0);
                big.offer(i);
            }
            for (int i = 0; i < size; i++) {
                if (!queue.next(chain) || chain.id() != i) {
                    fail("size " + size + ", chain " + i);
                }
                queue.complete(chain, i % 8);
            }
            assertThat(queue.next(chain)).isFalse();
            queue.publish();
            assertThat(big.usedIndex()).isEqualTo(size);
            assertThat(big.usedId(size - 1)).isEqualTo(size - 1);
        }
    }

    @Test
    void readsAnIndirectTableAtAnyAddressAfterDirectDescriptors() throws Exception {
        long table = 0x301;
        ring.split(3, ring.data(0), 10, NEXT, 4);
        ring.split(4, ring.data(table), 48, INDIRECT | WRITE, 0);
        ring.descriptor(ring.dataOffset + table, ring.data(0x20), 11, NEXT, 2);
        ring.descriptor(ring.dataOffset + table + 32, ring.data(0x40), 12, WRITE, 0);
        ring.offer(3);
        DeviceQueue queue = ring.queue(Feature.INDIRECT_DESC);

        assertThat(queue.next(chain)).isTrue();

        assertThat(chain.descriptorCount()).isEqualTo(2);
        assertThat(chain.segmentCount()).isEqualTo(3);
        assertThat(chain.readableCount()).isEqualTo(2);
        assertThat(chain.readableBytes()).isEqualTo(21);
        assertThat(chain.writableBytes()).isEqualTo(12);
    }

    @Test
    void readsAnIndirectTableThatGoesOnInTheNextRegion() throws Exception {
        MemorySegment second = Arena.ofAuto().allocate(4096, 64);
        long secondGuest = HandRing.BASE + ring.host.byteSize();
        GuestMemory memory = new GuestMemory(
                List.of(new GuestMemory.Region(secondGuest, second), new GuestMemory.Region(HandRing.BASE, ring.host)),
                () -> {});
        ring.split(0, secondGuest - 16, 32, INDIRECT, 0);
        ring.descriptor(ring.host.byteSize() - 16, ring.data(0), 1, NEXT, 1);
        second.set(ValueLayout.JAVA_LONG, 0, secondGuest - 4);
        second.set(ValueLayout.JAVA_INT, 8, 8);
        second.set(ValueLayout.JAVA_SHORT, 12, (short) WRITE);
        ring.offer(0);
        DeviceQueue queue = DeviceQueue.create(ring.config(Feature.INDIRECT_DESC), memory);

        assertThat(queue.next(chain)).isTrue();

        assertThat(chain.segmentCount()).isEqualTo(3);
        assertThat(chain.segmentHostAddress(2)).isEqualTo(second.address());
        assertThat(chain.segmentBytes(1)).isEqualTo(4);
        assertThat(chain.segmentBytes(2)).isEqualTo(4);
    }

    @Test
    void inOrderHoldsBackWhatCameTooEarly() throws Exception {
        DeviceQueue queue = ring.queue(Feature.IN_ORDER);
        DescriptorChain[] chains = {HandRing.chain(), HandRing.chain(), HandRing.chain()};
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < 3; i++) {
                ring.split(i, ring.data(0), 4, WRITE, 0);
                ring.offer(i);
                assertThat(queue.next(chains[i])).isTrue();
            }
            int base = 3 * round;
            queue.complete(chains[2], 3);
            assertThat(queue.publish()).isFalse();
            assertThat(ring.usedIndex()).isEqualTo(base);
            queue.complete(chains[0], 1);
            assertThat(queue.publish()).isTrue();
            assertThat(ring.usedIndex()).isEqualTo(base + 1);
            assertThat(queue.inFlight()).isEqualTo(2);
            queue.complete(chains[1], 2);
            assertThat(queue.publish()).isTrue();
            assertThat(ring.usedIndex()).isEqualTo(base + 3);
            for (int i = 0; i < 3; i++) {
                assertThat(ring.usedId(base + i)).isEqualTo(i);
                assertThat(ring.usedLength(base + i)).isEqualTo(i + 1);
            }
        }
    }

    @Test
    void signalsByFlag() throws Exception {
        DeviceQueue queue = ring.queue(0);
        serve(queue, 0);
        assertThat(queue.publish()).isTrue();
        ring.put16(ring.driverOffset, 1);
        serve(queue, 1);
        assertThat(queue.publish()).isFalse();
        ring.put16(ring.driverOffset, 0);
        serve(queue, 2);
        assertThat(queue.publish()).isTrue();
    }

    @Test
    void signalsByEventIndexAndIgnoresTheFlag() throws Exception {
        DeviceQueue queue = ring.queue(Feature.EVENT_IDX);
        ring.put16(ring.driverOffset, 1);
        int usedEvent = ring.driverOffset + 4 + 16;
        ring.put16(usedEvent, 2);
        serve(queue, 0);
        assertThat(queue.publish()).as("used 0, wanted 2").isFalse();
        serve(queue, 1);
        serve(queue, 2);
        serve(queue, 3);
        assertThat(queue.publish()).as("used 1 to 3, wanted 2").isTrue();
        serve(queue, 4);
        assertThat(queue.publish()).as("passed before").isFalse();
    }

    @Test
    void asksForKicksByFlag() throws Exception {
        DeviceQueue queue = ring.queue(0);
        queue.disableNotifications();
        assertThat(ring.get16(ring.deviceOffset)).isEqualTo(1);
        ring.split(0, ring.data(0), 1, 0, 0);
        ring.offer(0);
        assertThat(queue.enableNotifications()).isTrue();
        assertThat(ring.get16(ring.deviceOffset)).isZero();
        assertThat(queue.next(chain)).isTrue();
        assertThat(queue.enableNotifications()).isFalse();
    }

    @Test
    void asksForKicksByEventIndex() throws Exception {
        DeviceQueue queue = ring.queue(Feature.EVENT_IDX);
        int availEvent = ring.deviceOffset + 4 + 8 * 8;
        for (int i = 0; i < 3; i++) {
            serve(queue, i);
        }
        queue.disableNotifications();
        assertThat(ring.get16(ring.deviceOffset)).isZero();
        assertThat(ring.get16(availEvent)).isZero();
        assertThat(queue.enableNotifications()).isFalse();
        assertThat(ring.get16(availEvent)).isEqualTo(3);
        ring.offer(0);
        assertThat(queue.enableNotifications()).isTrue();
    }

    @Test
    void goesOnFromAState() throws Exception {
        ring.availableIndex = 0xfffe;
        ring.put16(ring.deviceOffset + 2, 0xfffd);
        ring.split(4, ring.data(0), 1, WRITE, 0);
        ring.offer(4);
        ring.offer(4);
        ring.offer(4);
        // One is in flight elsewhere; the used index in the ring counts, not the one in the state.
        DeviceQueue queue = DeviceQueue.create(ring.config(0, new QueueState.Split(0xfffe, 77), null), ring.memory);
        assertThat(queue.state()).isEqualTo(new QueueState.Split(0xfffe, 0xfffd));
        assertThat(queue.inFlight()).isZero();
        for (int i = 0; i < 3; i++) {
            assertThat(queue.next(chain)).isTrue();
            queue.complete(chain, 1);
        }
        assertThat(queue.next(chain)).isFalse();
        assertThat(queue.publish()).isTrue();
        assertThat(queue.state()).isEqualTo(new QueueState.Split(1, 0));
        assertThat(ring.usedIndex()).isZero();
        assertThat(ring.usedId(0xfffd)).isEqualTo(4);
    }

    @Test
    void refusesAStateFurtherAheadThanTheSize() throws Exception {
        ring.put16(ring.deviceOffset + 2, 100);
        DeviceQueue full = DeviceQueue.create(ring.config(0, new QueueState.Split(108, 100), null), ring.memory);
        assertThat(full.state()).isEqualTo(new QueueState.Split(108, 100));
        assertThatExceptionOfType(GuestFaultException.class)
                .isThrownBy(
                        () -> DeviceQueue.create(ring.config(0, new QueueState.Split(109, 100), null), ring.memory));
        assertThatExceptionOfType(GuestFaultException.class)
                .isThrownBy(() -> DeviceQueue.create(ring.config(0, new QueueState.Split(99, 100), null), ring.memory));
    }

    @Test
    void goesOnInAnotherMappingOfTheMemory() throws Exception {
        DeviceQueue queue = ring.queue(0);
        serve(queue, 0);
        queue.publish();
        HandRing moved = new HandRing(8, false);
        moved.host.copyFrom(ring.host);
        moved.availableIndex = ring.availableIndex;
        queue.memory(moved.memory);
        moved.split(6, moved.data(0x10), 2, WRITE, 0);
        moved.offer(6);
        assertThat(queue.next(chain)).isTrue();
        assertThat(chain.memory()).isSameAs(moved.memory);
        assertThat(chain.segmentHostAddress(0)).isEqualTo(moved.host.address() + moved.dataOffset + 0x10);
        queue.complete(chain, 2);
        queue.publish();
        assertThat(moved.usedIndex()).isEqualTo(2);
        assertThat(ring.usedIndex()).isEqualTo(1);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> queue.memory(GuestMemory.EMPTY));
    }

    @Test
    void logsWhatItWrites() throws Exception {
        record Mark(long address, long bytes, int usedIndex) {}
        List<Mark> marks = new ArrayList<>();
        DeviceQueue queue = ring.queue(Feature.EVENT_IDX);
        queue.dirtyLog((address, bytes) -> marks.add(new Mark(address, bytes, ring.usedIndex())));
        ring.split(0, ring.data(0), 5, NEXT, 1);
        ring.split(1, ring.data(0x1000), 100, NEXT | WRITE, 2);
        ring.split(2, ring.data(0x3000), 100, WRITE, 0);
        ring.offer(0);
        assertThat(queue.next(chain)).isTrue();
        queue.complete(chain, 120);
        queue.publish();
        queue.enableNotifications();
        long used = HandRing.BASE + ring.deviceOffset;
        assertThat(marks)
                .containsExactly(
                        new Mark(ring.data(0x1000), 100, 0),
                        new Mark(ring.data(0x3000), 20, 0),
                        new Mark(used + 4, 8, 0),
                        new Mark(used + 2, 2, 1),
                        new Mark(used + 4 + 64, 2, 1));
        marks.clear();
        queue.dirtyLog(null);
        serve(queue, 3);
        queue.publish();
        assertThat(marks).isEmpty();

        DeviceQueue byFlag = new HandRing(8, false).queue(0);
        byFlag.dirtyLog((address, bytes) -> marks.add(new Mark(address, bytes, 0)));
        byFlag.disableNotifications();
        byFlag.enableNotifications();
        assertThat(marks).containsExactly(new Mark(used, 2, 0), new Mark(used, 2, 0));
    }

    @Test
    void refusesMisuse() throws Exception {
        DeviceQueue queue = ring.queue(0);
        ring.split(0, ring.data(0), 5, WRITE, 0);
        ring.offer(0);
        assertThatIllegalStateException().isThrownBy(() -> queue.complete(chain, 0));
        assertThat(queue.next(chain)).isTrue();
        assertThatIllegalArgumentException().isThrownBy(() -> queue.complete(chain, 6));
        assertThatIllegalArgumentException().isThrownBy(() -> queue.complete(chain, -1));
        queue.complete(chain, 5);
        assertThatIllegalStateException().isThrownBy(() -> queue.complete(chain, 5));
        queue.publish();
        assertThat(ring.usedIndex()).isEqualTo(1);
        assertThatIllegalArgumentException().isThrownBy(() -> ring.config(0, QueueState.initial(true), null));
    }

    private void serve(DeviceQueue queue, int head) throws GuestFaultException {
        ring.split(head, ring.data(0), 1, WRITE, 0);
        ring.offer(head);
        assertThat(queue.next(chain)).isTrue();
        queue.complete(chain, 1);
    }
}
