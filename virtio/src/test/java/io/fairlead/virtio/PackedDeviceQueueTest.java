package io.fairlead.virtio;

import static io.fairlead.virtio.HandRing.INDIRECT;
import static io.fairlead.virtio.HandRing.NEXT;
import static io.fairlead.virtio.HandRing.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class PackedDeviceQueueTest {
    private static final int SIZE = 5;

    private final HandRing ring = new HandRing(SIZE, true);
    private final DescriptorChain chain = HandRing.chain();

    @Test
    void takesAListAndGivesItBackInOneDescriptor() throws Exception {
        ring.packed(0, true, ring.data(0), 10, 77, NEXT);
        ring.packed(1, true, ring.data(16), 20, 4, WRITE);
        DeviceQueue queue = ring.queue(0);

        assertThat(queue.hasNext()).isTrue();
        assertThat(queue.next(chain)).isTrue();

        assertThat(chain.id()).as("of the last descriptor").isEqualTo(4);
        assertThat(chain.descriptorCount()).isEqualTo(2);
        assertThat(chain.readableBytes()).isEqualTo(10);
        assertThat(chain.writableBytes()).isEqualTo(20);
        assertThat(queue.hasNext()).isFalse();
        assertThat(queue.next(HandRing.chain())).isFalse();

        queue.complete(chain, 20);
        assertThat(ring.isUsed(0, true)).isFalse();
        assertThat(queue.state()).isEqualTo(new QueueState.Packed(2, true, 0, true));
        assertThat(queue.publish()).isTrue();
        assertThat(ring.isUsed(0, true)).isTrue();
        assertThat(ring.packedFlags(0) & WRITE).isEqualTo(WRITE);
        assertThat(ring.packedId(0)).isEqualTo(4);
        assertThat(ring.packedLength(0)).isEqualTo(20);
        assertThat(ring.isUsed(1, true)).isFalse();
        assertThat(queue.state()).isEqualTo(new QueueState.Packed(2, true, 2, true));
        assertThat(queue.inFlight()).isZero();
    }

    @Test
    void wrapsAndUsesInAnyOrder() throws Exception {
        DeviceQueue queue = ring.queue(0);
        DescriptorChain first = HandRing.chain();
        DescriptorChain second = HandRing.chain();
        int slot = 0;
        boolean wrap = true;
        for (int round = 0; round < 2000; round++) {
            // A list of two with id 1, then a single one with id 2; used the other way round.
            int usedSlot = slot;
            boolean usedWrap = wrap;
            for (int i = 0; i < 3; i++) {
                ring.packed(slot, wrap, ring.data(round % 100), 8, i == 2 ? 2 : 1, WRITE | (i == 0 ? NEXT : 0));
                slot = (slot + 1) % SIZE;
                wrap ^= slot == 0;
            }
            assertThat(queue.next(first) && queue.next(second)).isTrue();
            assertThat(queue.hasNext()).isFalse();
            assertThat(queue.state()).isEqualTo(new QueueState.Packed(slot, wrap, usedSlot, usedWrap));
            queue.complete(second, 0);
            queue.complete(first, 16);
            assertThat(queue.publish()).isTrue();
            assertThat(ring.packedId(usedSlot)).isEqualTo(2);
            assertThat(ring.isUsed(usedSlot, usedWrap)).isTrue();
            assertThat(ring.packedFlags(usedSlot) & WRITE).as("nothing written").isZero();
            int nextSlot = (usedSlot + 1) % SIZE;
            assertThat(ring.packedId(nextSlot)).isEqualTo(1);
            assertThat(ring.packedLength(nextSlot)).isEqualTo(16);
            assertThat(ring.isUsed(nextSlot, usedWrap ^ (nextSlot == 0))).isTrue();
            assertThat(queue.state()).isEqualTo(new QueueState.Packed(slot, wrap, slot, wrap));
        }
    }

    @Test
    void aQueueOfOne() throws Exception {
        HandRing one = new HandRing(1, true);
        DeviceQueue queue = one.queue(Feature.EVENT_IDX);
        boolean wrap = true;
        for (int i = 0; i < 10; i++) {
            assertThat(queue.enableNotifications()).isFalse();
            one.packed(0, wrap, one.data(0), 1, 0, WRITE);
            assertThat(queue.next(chain)).isTrue();
            assertThat(queue.next(HandRing.chain())).isFalse();
            queue.complete(chain, 1);
            queue.publish();
            assertThat(one.isUsed(0, wrap)).isTrue();
            wrap = !wrap;
        }
    }

    @Test
    void theLargestQueueTakesAndGivesBackAll() throws Exception {
        HandRing big = new HandRing(32768, true);
        DeviceQueue queue = big.queue(0);
        for (int lap = 0; lap < 2; lap++) {
            for (int i = 0; i < 32768; i++) {
                big.packed(i, lap == 0, big.data(0), 1, 32767 - i, WRITE);
            }
            for (int i = 0; i < 32768; i++) {
                if (!queue.next(chain)) {
                    fail("slot " + i);
                }
                queue.complete(chain, 1);
            }
            assertThat(queue.next(chain)).isFalse();
            queue.publish();
            assertThat(big.packedId(32767)).isZero();
            assertThat(big.isUsed(0, lap == 0) && big.isUsed(32767, lap == 0)).isTrue();
        }
    }

    @Test
    void readsAnIndirectTableInSequence() throws Exception {
        ring.descriptor(ring.dataOffset + 3, ring.data(100), 7, 900, NEXT);
        ring.descriptor(ring.dataOffset + 19, ring.data(200), 8, 900, WRITE);
        ring.packed(0, true, ring.data(3), 32, 3, INDIRECT | WRITE);
        DeviceQueue queue = ring.queue(Feature.INDIRECT_DESC);
        assertThat(queue.next(chain)).isTrue();
        assertThat(chain.id()).isEqualTo(3);
        assertThat(chain.descriptorCount()).isEqualTo(1);
        assertThat(chain.segmentCount()).isEqualTo(2);
        assertThat(chain.readableBytes()).isEqualTo(7);
        assertThat(chain.writableBytes()).isEqualTo(8);
    }

    @Test
    void inOrderHoldsBackWhatCameTooEarly() throws Exception {
        DeviceQueue queue = ring.queue(Feature.IN_ORDER);
        DescriptorChain[] chains = {HandRing.chain(), HandRing.chain()};
        for (int i = 0; i < 2; i++) {
            ring.packed(i, true, ring.data(0), 4, i, WRITE);
            assertThat(queue.next(chains[i])).isTrue();
        }
        queue.complete(chains[1], 1);
        assertThat(queue.publish()).isFalse();
        assertThat(ring.isUsed(0, true)).isFalse();
        queue.complete(chains[0], 2);
        assertThat(queue.publish()).isTrue();
        assertThat(ring.packedId(0)).isZero();
        assertThat(ring.packedId(1)).isEqualTo(1);
        assertThat(ring.isUsed(1, true)).isTrue();
    }

    @Test
    void signalsAsTheDriverAsks() throws Exception {
        DeviceQueue queue = ring.queue(0);
        assertThat(serve(queue, 0, true)).isTrue();
        ring.put16(ring.driverOffset + 2, 1);
        assertThat(serve(queue, 1, true)).isFalse();
        ring.put16(ring.driverOffset + 2, 2);
        ring.put16(ring.driverOffset, 0);
        assertThat(serve(queue, 2, true)).as("without EVENT_IDX").isTrue();
        ring.put16(ring.driverOffset + 2, 3);
        assertThat(serve(queue, 3, true)).as("reserved").isTrue();
    }

    @Test
    void signalsForTheEventDescriptorOfItsLap() throws Exception {
        DeviceQueue queue = ring.queue(Feature.EVENT_IDX);
        ring.put16(ring.driverOffset + 2, 2);
        ring.put16(ring.driverOffset, 1 | 0x8000);
        assertThat(serve(queue, 0, true)).isFalse();
        assertThat(serve(queue, 1, true)).isTrue();
        assertThat(serve(queue, 2, true)).isFalse();
        ring.put16(ring.driverOffset, 4);
        assertThat(serve(queue, 3, true)).isFalse();
        assertThat(serve(queue, 4, true)).as("slot 4 of the other lap").isFalse();
        for (int slot = 0; slot < 4; slot++) {
            assertThat(serve(queue, slot, false)).isFalse();
        }
        assertThat(serve(queue, 4, false)).isTrue();
    }

    @Test
    void signalsForAnEventInTheMiddleOfAListThatWraps() throws Exception {
        DeviceQueue queue = ring.queue(Feature.EVENT_IDX);
        for (int slot = 0; slot < 4; slot++) {
            serve(queue, slot, true);
        }
        ring.put16(ring.driverOffset + 2, 2);
        ring.put16(ring.driverOffset, 0);
        ring.packed(4, true, ring.data(0), 1, 0, NEXT);
        ring.packed(0, false, ring.data(0), 1, 0, 0);
        assertThat(queue.next(chain)).isTrue();
        queue.complete(chain, 0);
        assertThat(queue.publish()).isTrue();
    }

    @Test
    void asksForKicks() throws Exception {
        DeviceQueue queue = ring.queue(0);
        queue.disableNotifications();
        assertThat(ring.get16(ring.deviceOffset + 2)).isEqualTo(1);
        ring.packed(0, true, ring.data(0), 1, 0, 0);
        assertThat(queue.enableNotifications()).isTrue();
        assertThat(ring.get16(ring.deviceOffset + 2)).isZero();

        HandRing other = new HandRing(SIZE, true);
        DeviceQueue byEvent = DeviceQueue.create(
                other.config(Feature.EVENT_IDX, new QueueState.Packed(4, true, 4, true), null), other.memory);
        assertThat(byEvent.enableNotifications()).isFalse();
        assertThat(other.get16(other.deviceOffset)).isEqualTo(4 | 0x8000);
        assertThat(other.get16(other.deviceOffset + 2)).isEqualTo(2);
        other.packed(4, true, other.data(0), 1, 0, 0);
        assertThat(byEvent.enableNotifications()).isTrue();
        assertThat(byEvent.next(chain)).isTrue();
        assertThat(byEvent.enableNotifications()).isFalse();
        assertThat(other.get16(other.deviceOffset)).isZero();
        byEvent.disableNotifications();
        assertThat(other.get16(other.deviceOffset + 2)).isEqualTo(1);
    }

    @Test
    void refusesStatesThatDoNotFit() throws Exception {
        QueueState full = new QueueState.Packed(2, false, 2, true);
        assertThat(DeviceQueue.create(ring.config(0, full, null), ring.memory).state())
                .isEqualTo(full);
        assertRefused(new QueueState.Packed(5, true, 0, true));
        assertRefused(new QueueState.Packed(0, true, 5, true));
        assertRefused(new QueueState.Packed(1, false, 0, true));
        assertRefused(new QueueState.Packed(0, true, 1, true));
    }

    private void assertRefused(QueueState state) {
        assertThatExceptionOfType(GuestFaultException.class)
                .as("%s", state)
                .isThrownBy(() -> DeviceQueue.create(ring.config(0, state, null), ring.memory));
    }

    @Test
    void logsWhatItWrites() throws Exception {
        record Mark(long address, long bytes, boolean visible) {}
        List<Mark> marks = new ArrayList<>();
        DeviceQueue queue = ring.queue(0);
        queue.dirtyLog((address, bytes) -> marks.add(new Mark(address, bytes, ring.isUsed(0, true))));
        DescriptorChain other = HandRing.chain();
        ring.packed(0, true, ring.data(0), 9, 0, WRITE);
        ring.packed(1, true, ring.data(0x100), 9, 1, WRITE);
        assertThat(queue.next(chain) && queue.next(other)).isTrue();
        queue.complete(chain, 9);
        queue.complete(other, 2);
        queue.publish();
        queue.disableNotifications();
        assertThat(marks)
                .containsExactly(
                        new Mark(ring.data(0), 9, false),
                        new Mark(ring.data(0x100), 2, false),
                        new Mark(HandRing.BASE + 16 + 8, 8, false),
                        new Mark(HandRing.BASE + 8, 8, true),
                        new Mark(HandRing.BASE + ring.deviceOffset, 4, true));
    }

    @Test
    void goesOnInAnotherMappingOfTheMemory() throws Exception {
        DeviceQueue queue = ring.queue(0);
        serve(queue, 0, true);
        HandRing moved = new HandRing(SIZE, true);
        moved.host.copyFrom(ring.host);
        queue.memory(moved.memory);
        moved.packed(1, true, moved.data(0), 1, 2, WRITE);
        assertThat(queue.next(chain)).isTrue();
        queue.complete(chain, 1);
        queue.publish();
        assertThat(moved.isUsed(1, true)).isTrue();
        assertThat(ring.isUsed(1, true)).isFalse();
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> queue.memory(GuestMemory.EMPTY));
    }

    @Test
    void refusesMisuse() throws Exception {
        DeviceQueue queue = ring.queue(0);
        ring.packed(0, true, ring.data(0), 5, 0, WRITE);
        assertThat(queue.next(chain)).isTrue();
        assertThatIllegalArgumentException().isThrownBy(() -> queue.complete(chain, 6));
        queue.complete(chain, 0);
        assertThatIllegalStateException().isThrownBy(() -> queue.complete(chain, 0));
    }

    private boolean serve(DeviceQueue queue, int slot, boolean wrap) throws GuestFaultException {
        ring.packed(slot, wrap, ring.data(0), 1, 0, WRITE);
        assertThat(queue.next(chain)).isTrue();
        queue.complete(chain, 1);
        return queue.publish();
    }

    private static Map<String, Consumer<HandRing>> hostile() {
        Map<String, Consumer<HandRing>> cases = new LinkedHashMap<>();
        cases.put("id out of range", ring -> ring.packed(1, true, ring.data(0), 1, SIZE, 0));
        cases.put("list runs into what is not available", ring -> ring.packed(1, true, ring.data(0), 1, 0, NEXT));
        cases.put("list goes on with the flags of the wrong lap", ring -> {
            ring.packed(2, false, ring.data(0), 1, 0, 0);
            ring.packed(1, true, ring.data(0), 1, 0, NEXT);
        });
        cases.put("list longer than the ring", ring -> {
            for (int i = 1; i <= SIZE; i++) {
                ring.packed(i % SIZE, i < SIZE, ring.data(0), 1, 0, NEXT);
            }
        });
        cases.put("empty descriptor", ring -> ring.packed(1, true, ring.data(0), 0, 0, 0));
        cases.put("outside the memory", ring -> ring.packed(1, true, 4, 1, 0, 0));
        cases.put(
                "over the memory's end",
                ring -> ring.packed(1, true, HandRing.BASE + ring.host.byteSize() - 1, 2, 0, 0));
        cases.put("readable after writable", ring -> {
            ring.packed(2, true, ring.data(0), 1, 0, 0);
            ring.packed(1, true, ring.data(0), 1, 0, NEXT | WRITE);
        });
        cases.put("indirect not negotiated", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, 0, 0);
            ring.packed(1, true, ring.data(0), 16, 0, INDIRECT);
        });
        return cases;
    }

    private static Map<String, Consumer<HandRing>> hostileIndirect() {
        Map<String, Consumer<HandRing>> cases = new LinkedHashMap<>();
        cases.put("indirect in indirect", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 16, 0, INDIRECT);
            ring.packed(1, true, ring.data(0), 16, 0, INDIRECT);
        });
        cases.put("a table in a list", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, 0, 0);
            ring.packed(2, true, ring.data(0), 16, 0, INDIRECT);
            ring.packed(1, true, ring.data(0), 1, 0, NEXT);
        });
        cases.put("a table that goes on", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, 0, 0);
            ring.packed(2, true, ring.data(0), 1, 0, 0);
            ring.packed(1, true, ring.data(0), 16, 0, INDIRECT | NEXT);
        });
        cases.put("empty table", ring -> ring.packed(1, true, ring.data(0), 0, 0, INDIRECT));
        cases.put("table of odd length", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, 0, 0);
            ring.packed(1, true, ring.data(0), 17, 0, INDIRECT);
        });
        cases.put(
                "table over the memory's end",
                ring -> ring.packed(1, true, HandRing.BASE + ring.host.byteSize() - 8, 16, 0, INDIRECT));
        cases.put("table of 4 GiB", ring -> {
            for (int i = 0; i < 1100; i++) {
                ring.descriptor(ring.dataOffset + 16L * i, ring.data(0), 1, 0, 0);
            }
            ring.packed(1, true, ring.data(0), 0xffff_fff0L, 0, INDIRECT);
        });
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> faults() {
        return hostile().entrySet().stream()
                .map(entry -> dynamicTest(entry.getKey(), () -> assertFault(entry.getValue(), 0)));
    }

    @TestFactory
    Stream<DynamicTest> indirectFaults() {
        return hostileIndirect().entrySet().stream()
                .map(entry -> dynamicTest(entry.getKey(), () -> assertFault(entry.getValue(), Feature.INDIRECT_DESC)));
    }

    private void assertFault(Consumer<HandRing> bad, long features) throws Exception {
        DeviceQueue queue = ring.queue(features);
        serve(queue, 0, true);
        bad.accept(ring);
        byte[] before = ring.host.toArray(ValueLayout.JAVA_BYTE);
        for (int i = 0; i < 3; i++) {
            assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> queue.next(chain));
        }
        assertThat(queue.state()).isEqualTo(new QueueState.Packed(1, true, 1, true));
        assertThat(queue.inFlight()).isZero();
        assertThat(queue.publish()).isFalse();
        assertThat(ring.host.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
    }

    @Test
    void aDriverThatOvertakesTheDeviceIsAFault() throws Exception {
        DeviceQueue queue = ring.queue(0);
        for (int slot = 0; slot < SIZE; slot++) {
            ring.packed(slot, true, ring.data(0), 1, slot, 0);
            assertThat(queue.next(HandRing.chain())).isTrue();
        }
        ring.packed(0, false, ring.data(0), 1, 0, 0);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> queue.next(chain));
        assertThat(queue.inFlight()).isEqualTo(SIZE);
    }

    @Test
    void flagsOfNoLapAreNotAvailable() throws Exception {
        DeviceQueue queue = ring.queue(0);
        for (int flags : new int[] {0, HandRing.USED, HandRing.AVAIL | HandRing.USED}) {
            ring.descriptor(0, ring.data(0), 1, 0, flags);
            assertThat(queue.hasNext()).isFalse();
            assertThat(queue.next(chain)).isFalse();
        }
    }

    @Test
    void theSameIdTwiceHarmsNobody() throws Exception {
        DeviceQueue queue = ring.queue(0);
        DescriptorChain other = HandRing.chain();
        ring.packed(0, true, ring.data(0), 1, 2, 0);
        ring.packed(1, true, ring.data(0), 1, 2, 0);
        assertThat(queue.next(chain) && queue.next(other)).isTrue();
        queue.complete(chain, 0);
        queue.complete(other, 0);
        queue.publish();
        assertThat(queue.state()).isEqualTo(new QueueState.Packed(2, true, 2, true));
    }
}
