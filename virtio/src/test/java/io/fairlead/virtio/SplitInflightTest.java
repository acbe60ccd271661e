package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SplitInflightTest {
    private static final int SIZE = 8;

    private final HandRing ring = new HandRing(SIZE, false);
    private final MemorySegment region = Arena.ofAuto().allocate(SplitInflight.byteCount(SIZE), 64);
    private final DescriptorChain chain = HandRing.chain();

    private DeviceQueue queue() throws GuestFaultException {
        return DeviceQueue.create(ring.config(0, QueueState.initial(false), region), ring.memory);
    }

    private int u8(long offset) {
        return region.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
    }

    private int u16(long offset) {
        return region.get(ValueLayout.JAVA_SHORT, offset) & 0xffff;
    }

    private void offer(int head, int length) {
        ring.split(head, ring.data(0), length, HandRing.WRITE, 0);
        ring.offer(head);
    }

    @Test
    void sizesAreMultiplesOf64() {
        assertThat(SplitInflight.byteCount(1)).isEqualTo(64);
        assertThat(SplitInflight.byteCount(3)).isEqualTo(64);
        assertThat(SplitInflight.byteCount(4)).isEqualTo(128);
        assertThat(SplitInflight.byteCount(32768)).isEqualTo(16 + 16 * 32768 + 48);
    }

    @Test
    void recordsAsTheProtocolSays() throws Exception {
        DeviceQueue queue = queue();
        assertThat(u16(8)).as("version").isEqualTo(1);
        assertThat(u16(10)).as("desc_num").isEqualTo(SIZE);
        DescriptorChain other = HandRing.chain();
        offer(5, 1);
        offer(2, 1);
        assertThat(queue.next(chain) && queue.next(other)).isTrue();
        assertThat(u8(16 + 16 * 5)).isEqualTo(1);
        assertThat(u8(16 + 16 * 2)).isEqualTo(1);
        long first = region.get(ValueLayout.JAVA_LONG, 16 + 16 * 5 + 8);
        assertThat(region.get(ValueLayout.JAVA_LONG, 16 + 16 * 2 + 8)).isEqualTo(first + 1);
        queue.complete(chain, 1);
        queue.complete(other, 0);
        assertThat(u8(16 + 16 * 5)).isEqualTo(1);
        queue.publish();
        assertThat(u16(12)).as("last_batch_head").isEqualTo(2);
        assertThat(u16(16 + 16 * 2 + 6)).as("next").isEqualTo(5);
        assertThat(u16(14)).as("used_idx").isEqualTo(2);
        assertThat(u8(16 + 16 * 5)).isZero();
        assertThat(u8(16 + 16 * 2)).isZero();
    }

    @Test
    void takesUpWhatWasInFlightBeforeWhatIsNew() throws Exception {
        DeviceQueue killed = queue();
        for (int head : new int[] {3, 1, 7}) {
            offer(head, head + 1);
            assertThat(killed.next(HandRing.chain())).isTrue();
        }
        offer(4, 5);

        DeviceQueue queue = queue();
        assertThat(queue.inFlight()).isEqualTo(3);
        assertThat(queue.hasNext()).isTrue();
        assertThat(queue.enableNotifications()).isTrue();
        assertThat(queue.state()).isEqualTo(new QueueState.Split(3, 0));
        for (int head : new int[] {3, 1, 7, 4}) {
            assertThat(queue.next(chain)).isTrue();
            assertThat(chain.id()).isEqualTo(head);
            assertThat(chain.writableBytes()).isEqualTo(head + 1);
            queue.complete(chain, 0);
        }
        assertThat(queue.next(chain)).isFalse();
        assertThat(queue.inFlight()).isEqualTo(4);
        queue.publish();
        assertThat(ring.usedIndex()).isEqualTo(4);
        assertThat(queue.inFlight()).isZero();
        assertThat(queue.state()).isEqualTo(new QueueState.Split(4, 4));
    }

    @Test
    void signalsOnceAfterAKill() throws Exception {
        ring.put16(ring.driverOffset, 1);
        assertThat(queue().publish()).as("new region").isFalse();
        DeviceQueue queue = queue();
        assertThat(queue.publish()).isTrue();
        assertThat(queue.publish()).isFalse();
    }

    @Test
    void aFaultyRequestOfAnEarlierProcessStaysAFault() throws Exception {
        DeviceQueue killed = queue();
        offer(3, 1);
        assertThat(killed.next(chain)).isTrue();
        ring.split(3, 0, 1, HandRing.WRITE, 0);
        DeviceQueue queue = queue();
        for (int i = 0; i < 2; i++) {
            assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> queue.next(chain));
        }
        assertThat(queue.inFlight()).isEqualTo(1);
    }

    @Test
    void keepsALargerDescriptorCount() throws Exception {
        MemorySegment large = Arena.ofAuto().allocate(SplitInflight.byteCount(64), 64);
        large.set(ValueLayout.JAVA_SHORT, 10, (short) 64);
        DeviceQueue.create(ring.config(0, QueueState.initial(false), large), ring.memory);
        assertThat(large.get(ValueLayout.JAVA_SHORT, 10)).isEqualTo((short) 64);
        DeviceQueue.create(ring.config(0, QueueState.initial(false), large), ring.memory);
    }

    @Test
    void refusesRegionsThatDoNotFit() throws Exception {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DeviceQueue.create(
                        ring.config(0, QueueState.initial(false), region.asSlice(0, 64)), ring.memory));
        queue();
        region.set(ValueLayout.JAVA_SHORT, 10, (short) 4);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(this::queue);
        region.set(ValueLayout.JAVA_SHORT, 10, (short) SIZE);
        queue();
        region.set(ValueLayout.JAVA_SHORT, 8, (short) 2);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(this::queue);
        region.set(ValueLayout.JAVA_SHORT, 8, (short) 1);
        assertThat(u16(14)).isZero();
        ring.put16(ring.deviceOffset + 2, 9);
        region.set(ValueLayout.JAVA_BYTE, 16 + 16 * 3, (byte) 1);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(this::queue);
    }

    @Test
    void aNewRingMayFollowOnADrainedOne() throws Exception {
        DeviceQueue queue = queue();
        offer(0, 1);
        assertThat(queue.next(chain)).isTrue();
        queue.complete(chain, 1);
        queue.publish();
        ring.put16(ring.deviceOffset + 2, 0);
        assertThat(queue().state()).isEqualTo(new QueueState.Split(0, 0));
        assertThat(u16(14)).isZero();
    }

    @Test
    void garbageIsAFaultAtWorst() {
        for (long seed = 0; seed < 3000; seed++) {
            Random random = new Random(seed);
            for (long i = 0; i < region.byteSize(); i++) {
                region.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(random.nextBoolean() ? 256 : 9));
            }
            region.set(ValueLayout.JAVA_SHORT, 8, (short) 1);
            region.set(ValueLayout.JAVA_SHORT, 10, (short) SIZE);
            region.set(ValueLayout.JAVA_SHORT, 14, (short) -random.nextInt(SIZE + 1));
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
}
