package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PackedInflightTest {
    private static final int SIZE = 6;

    private final HandRing ring = new HandRing(SIZE, true);
    private final MemorySegment region = Arena.ofAuto().allocate(PackedInflight.byteCount(SIZE), 64);
    private final DescriptorChain chain = HandRing.chain();

    private DeviceQueue queue() throws GuestFaultException {
        return queue(new QueueState.Packed(0, true, 0, true));
    }

    private DeviceQueue queue(QueueState state) throws GuestFaultException {
        return DeviceQueue.create(ring.config(Feature.INDIRECT_DESC, state, region), ring.memory);
    }

    private int u8(long offset) {
        return region.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
    }

    private int u16(long offset) {
        return region.get(ValueLayout.JAVA_SHORT, offset) & 0xffff;
    }

    private static long entry(int index) {
        return 32 + 32L * index;
    }

    @Test
    void sizesAreMultiplesOf64() {
        assertThat(PackedInflight.byteCount(1)).isEqualTo(64);
        assertThat(PackedInflight.byteCount(2)).isEqualTo(128);
        assertThat(PackedInflight.byteCount(3)).isEqualTo(128);
    }

    @Test
    void recordsAsTheProtocolSays() throws Exception {
        DeviceQueue queue = queue(new QueueState.Packed(5, false, 5, false));
        assertThat(u16(8)).as("version").isEqualTo(1);
        assertThat(u16(10)).as("desc_num").isEqualTo(SIZE);
        assertThat(u16(16)).as("used_idx").isEqualTo(5);
        assertThat(u16(18)).as("old_used_idx").isEqualTo(5);
        assertThat(u8(20)).as("used_wrap_counter").isZero();
        assertThat(u8(21)).as("old_used_wrap_counter").isZero();
        for (int i = 0; i < SIZE; i++) {
            assertThat(u16(entry(i) + 2)).as("next").isEqualTo(i + 1);
        }
        ring.packed(5, false, ring.data(0x40), 7, 9, HandRing.NEXT);
        ring.packed(0, true, ring.data(0x80), 8, 3, HandRing.WRITE);
        assertThat(queue.next(chain)).isTrue();
        assertThat(u8(entry(0))).as("inflight").isEqualTo(1);
        assertThat(u16(entry(0) + 2)).as("next").isEqualTo(1);
        assertThat(u16(entry(0) + 4)).as("last").isEqualTo(1);
        assertThat(u16(entry(0) + 6)).as("num").isEqualTo(2);
        assertThat(u16(entry(0) + 16)).as("id").isEqualTo(9);
        assertThat(u16(entry(0) + 18)).as("flags").isEqualTo(HandRing.NEXT | HandRing.USED);
        assertThat(region.get(ValueLayout.JAVA_INT, entry(0) + 20)).as("len").isEqualTo(7);
        assertThat(region.get(ValueLayout.JAVA_LONG, entry(0) + 24)).as("addr").isEqualTo(ring.data(0x40));
        assertThat(u16(entry(1) + 16)).as("id").isEqualTo(3);
        assertThat(u16(12)).as("free_head").isEqualTo(2);
        assertThat(u16(14)).as("old_free_head").isEqualTo(2);
        queue.complete(chain, 8);
        queue.publish();
        assertThat(u8(entry(0))).as("inflight").isZero();
        assertThat(u16(12)).as("free_head").isZero();
        assertThat(u16(14)).as("old_free_head").isZero();
        assertThat(u16(entry(1) + 2)).as("next of the last").isEqualTo(2);
        assertThat(u16(16)).as("used_idx").isEqualTo(1);
        assertThat(u16(18)).as("old_used_idx").isEqualTo(1);
        assertThat(u8(20)).as("used_wrap_counter").isEqualTo(1);
        assertThat(u8(21)).as("old_used_wrap_counter").isEqualTo(1);
    }

    @Test
    void takesUpWhatWasInFlightFromItsCopies() throws Exception {
        DeviceQueue killed = queue();
        DescriptorChain last = HandRing.chain();
        ring.descriptor(ring.dataOffset + 0x100, ring.data(0), 3, 0, HandRing.WRITE);
        ring.packed(0, true, ring.data(0x100), 16, 4, HandRing.INDIRECT);
        ring.packed(1, true, ring.data(0), 10, 0, HandRing.NEXT);
        ring.packed(2, true, ring.data(0), 20, 1, HandRing.WRITE);
        ring.packed(3, true, ring.data(0), 30, 2, HandRing.WRITE);
        DescriptorChain middle = HandRing.chain();
        assertThat(killed.next(chain) && killed.next(middle) && killed.next(last))
                .isTrue();
        // The last one is used first, over the first one's descriptor.
        killed.complete(last, 30);
        killed.publish();
        ring.packed(4, true, ring.data(0), 40, 5, HandRing.WRITE);

        DeviceQueue queue = queue(new QueueState.Packed(3, false, 3, false));
        assertThat(queue.inFlight()).isEqualTo(2);
        assertThat(queue.hasNext()).isTrue();
        assertThat(queue.state()).isEqualTo(new QueueState.Packed(4, true, 1, true));
        assertThat(queue.next(chain)).isTrue();
        assertThat(chain.id()).isEqualTo(4);
        assertThat(chain.writableBytes()).isEqualTo(3);
        queue.complete(chain, 3);
        assertThat(queue.next(chain)).isTrue();
        assertThat(chain.id()).isEqualTo(1);
        assertThat(chain.descriptorCount()).isEqualTo(2);
        assertThat(chain.readableBytes()).isEqualTo(10);
        assertThat(chain.writableBytes()).isEqualTo(20);
        queue.complete(chain, 20);
        assertThat(queue.next(chain)).isTrue();
        assertThat(chain.id()).isEqualTo(5);
        assertThat(queue.next(HandRing.chain())).isFalse();
        queue.publish();
        assertThat(ring.packedId(1)).isEqualTo(4);
        assertThat(ring.packedId(2)).isEqualTo(1);
        assertThat(queue.state()).isEqualTo(new QueueState.Packed(5, true, 4, true));
    }

    @Test
    void takesBackABatchOfAnotherBackEndThatTheDriverCannotSee() throws Exception {
        DeviceQueue killed = queue();
        for (int slot = 0; slot < 3; slot++) {
            ring.packed(slot, true, ring.data(0), slot + 1, slot, HandRing.WRITE);
            assertThat(killed.next(HandRing.chain())).isTrue();
        }
        // A batch of the chains 0 and 1: links, used_idx 2, the flags of the second one; then it was killed.
        region.set(ValueLayout.JAVA_SHORT, entry(0) + 2, (short) 3);
        region.set(ValueLayout.JAVA_SHORT, entry(1) + 2, (short) 0);
        region.set(ValueLayout.JAVA_SHORT, 12, (short) 1);
        region.set(ValueLayout.JAVA_SHORT, 16, (short) 2);
        ring.descriptor(16, 0, 0, 1, HandRing.AVAIL | HandRing.USED);

        DeviceQueue queue = queue();
        assertThat(queue.inFlight()).isEqualTo(3);
        for (int i = 0; i < 3; i++) {
            assertThat(queue.next(chain)).isTrue();
            assertThat(chain.writableBytes()).isEqualTo(i + 1);
            if (i == 0) {
                queue.complete(chain, 1);
            }
        }
        queue.publish();
        assertThat(ring.isUsed(0, true)).isTrue();
        assertThat(ring.isUsed(1, true))
                .as("the driver must not find the old flags")
                .isFalse();
    }

    @Test
    void signalsOnceAfterAKill() throws Exception {
        ring.put16(ring.driverOffset + 2, 1);
        assertThat(queue().publish()).as("new region").isFalse();
        DeviceQueue queue = queue();
        assertThat(queue.publish()).isTrue();
        assertThat(queue.publish()).isFalse();
    }

    @Test
    void aFaultLeavesNoTraceInTheRecords() throws Exception {
        DeviceQueue queue = queue();
        ring.packed(0, true, ring.data(0), 1, 0, HandRing.NEXT);
        ring.packed(1, true, 0, 1, 0, 0);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> queue.next(chain));
        assertThat(queue().inFlight()).isZero();
    }

    @Test
    void refusesRegionsThatDoNotFit() throws Exception {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DeviceQueue.create(
                        ring.config(0, QueueState.initial(true), region.asSlice(0, 128)), ring.memory));
        queue();
        for (int offset : new int[] {8, 10, 12, 14, 16, 18}) {
            int before = u16(offset);
            region.set(ValueLayout.JAVA_SHORT, offset, (short) 100);
            assertThatExceptionOfType(GuestFaultException.class)
                    .as("offset %d", offset)
                    .isThrownBy(this::queue);
            region.set(ValueLayout.JAVA_SHORT, offset, (short) before);
        }
        queue();
        region.set(ValueLayout.JAVA_SHORT, entry(3) + 2, (short) 0);
        assertThatExceptionOfType(GuestFaultException.class).as("loop").isThrownBy(this::queue);
        region.set(ValueLayout.JAVA_SHORT, entry(3) + 2, (short) 99);
        assertThatExceptionOfType(GuestFaultException.class).as("lost entries").isThrownBy(this::queue);
    }

    @Test
    void garbageIsAFaultAtWorst() {
        for (long seed = 0; seed < 3000; seed++) {
            Random random = new Random(seed);
            boolean mild = seed % 2 == 0;
            region.fill((byte) 0);
            if (mild) {
                readyWithChains();
            }
            int changes = mild ? 1 + random.nextInt(3) : (int) region.byteSize();
            for (int i = 0; i < changes; i++) {
                long offset = mild ? random.nextLong(region.byteSize()) : i;
                region.set(ValueLayout.JAVA_BYTE, offset, (byte) random.nextInt(random.nextBoolean() ? 256 : SIZE + 1));
            }
            region.set(ValueLayout.JAVA_SHORT, 8, (short) 1);
            region.set(ValueLayout.JAVA_SHORT, 10, (short) SIZE);
            try {
                DeviceQueue queue = queue();
                for (int i = 0; i <= SIZE && queue.next(chain); i++) {
                    queue.complete(chain, 0);
                }
                queue.publish();
            } catch (GuestFaultException _) {
                // What it should be.
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private void readyWithChains() {
        try {
            DeviceQueue queue = queue();
            for (int slot = 0; slot < 4; slot++) {
                ring.packed(slot, true, ring.data(0), 5, slot, slot == 1 ? HandRing.NEXT : 0);
            }
            for (int i = 0; i < 3; i++) {
                assertThat(queue.next(HandRing.chain())).isTrue();
            }
        } catch (GuestFaultException e) {
            throw new AssertionError(e);
        }
    }
}
