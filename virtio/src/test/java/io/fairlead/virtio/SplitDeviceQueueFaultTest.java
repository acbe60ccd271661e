package io.fairlead.virtio;

import static io.fairlead.virtio.HandRing.INDIRECT;
import static io.fairlead.virtio.HandRing.NEXT;
import static io.fairlead.virtio.HandRing.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** What a hostile driver of a split ring may try. */
class SplitDeviceQueueFaultTest {
    private static final int SIZE = 8;

    private static Map<String, Consumer<HandRing>> hostile() {
        Map<String, Consumer<HandRing>> cases = new LinkedHashMap<>();
        cases.put("index ahead by more than the size", ring -> ring.put16(ring.driverOffset + 2, SIZE + 2));
        cases.put("index behind", ring -> ring.put16(ring.driverOffset + 2, 0xffff));
        cases.put("head out of range", ring -> ring.offer(SIZE));
        cases.put("head far out of range", ring -> ring.offer(0xffff));
        cases.put("next out of range", ring -> {
            ring.split(0, ring.data(0), 1, NEXT, SIZE);
            ring.offer(0);
        });
        cases.put("loop to itself", ring -> {
            ring.split(0, ring.data(0), 1, NEXT, 0);
            ring.offer(0);
        });
        cases.put("loop of two", ring -> {
            ring.split(0, ring.data(0), 1, NEXT, 1);
            ring.split(1, ring.data(0), 1, NEXT, 0);
            ring.offer(0);
        });
        cases.put("empty descriptor", ring -> {
            ring.split(0, ring.data(0), 0, 0, 0);
            ring.offer(0);
        });
        cases.put("readable after writable", ring -> {
            ring.split(0, ring.data(0), 1, NEXT | WRITE, 1);
            ring.split(1, ring.data(0), 1, 0, 0);
            ring.offer(0);
        });
        cases.put("address outside the memory", ring -> {
            ring.split(0, 0x10, 1, 0, 0);
            ring.offer(0);
        });
        cases.put("address above 2^63", ring -> {
            ring.split(0, -16, 8, 0, 0);
            ring.offer(0);
        });
        cases.put("buffer straddling the memory's end", ring -> {
            ring.split(0, HandRing.BASE + ring.host.byteSize() - 4, 5, WRITE, 0);
            ring.offer(0);
        });
        cases.put("indirect not negotiated", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, 0, 0);
            ring.split(0, ring.data(0), 16, INDIRECT, 0);
            ring.offer(0);
        });
        return cases;
    }

    private static Map<String, Consumer<HandRing>> hostileIndirect() {
        Map<String, Consumer<HandRing>> cases = new LinkedHashMap<>();
        cases.put("indirect in indirect", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 16, INDIRECT, 0);
            ring.descriptor(ring.dataOffset + 64, ring.data(128), 16, 0, 0);
            table(ring, 16, 0);
        });
        cases.put("indirect with next", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, 0, 0);
            ring.split(1, ring.data(0), 1, 0, 0);
            table(ring, 16, NEXT);
        });
        cases.put("empty table", ring -> table(ring, 0, 0));
        cases.put("table of half a descriptor", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, 0, 0);
            table(ring, 24, 0);
        });
        cases.put("table's next outside it", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, NEXT, 1);
            ring.descriptor(ring.dataOffset + 16, ring.data(64), 1, 0, 0);
            table(ring, 16, 0);
        });
        cases.put("loop in the table", ring -> {
            ring.descriptor(ring.dataOffset, ring.data(64), 1, NEXT, 0);
            table(ring, 16, 0);
        });
        cases.put("table outside the memory", ring -> {
            ring.split(0, 0x20, 16, INDIRECT, 0);
            ring.offer(0);
        });
        cases.put("table above 2^63", ring -> {
            ring.split(0, Long.MAX_VALUE - 3, 16, INDIRECT, 0);
            ring.offer(0);
        });
        cases.put("table over the memory's end", ring -> {
            ring.split(0, HandRing.BASE + ring.host.byteSize() - 8, 16, INDIRECT, 0);
            ring.offer(0);
        });
        cases.put("more segments than a chain may have", ring -> {
            for (int i = 0; i <= DescriptorChain.MAX_SEGMENTS; i++) {
                ring.descriptor(ring.dataOffset + 16L * i, ring.data(0), 1, NEXT, i + 1);
            }
            ring.descriptor(ring.dataOffset + 16L * DescriptorChain.MAX_SEGMENTS, ring.data(0), 1, 0, 0);
            table(ring, 16 * (DescriptorChain.MAX_SEGMENTS + 1), 0);
        });
        return cases;
    }

    private static void table(HandRing ring, int byteCount, int flags) {
        ring.split(0, ring.data(0), byteCount, INDIRECT | flags, 1);
        ring.offer(0);
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

    /** One good request first; then the bad one faults, again and again, and nothing has moved. */
    private static void assertFault(Consumer<HandRing> bad, long features) throws Exception {
        HandRing ring = new HandRing(SIZE, false);
        DeviceQueue queue = ring.queue(features);
        DescriptorChain chain = HandRing.chain();
        ring.split(0, ring.data(0), 1, WRITE, 0);
        ring.offer(0);
        assertThat(queue.next(chain)).isTrue();
        queue.complete(chain, 1);
        queue.publish();
        bad.accept(ring);
        byte[] before = ring.host.toArray(ValueLayout.JAVA_BYTE);
        for (int i = 0; i < 3; i++) {
            assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> queue.next(chain));
        }
        assertThat(queue.state()).isEqualTo(new QueueState.Split(1, 1));
        assertThat(queue.inFlight()).isZero();
        assertThat(queue.publish()).isFalse();
        assertThat(ring.host.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
    }

    @Test
    void theLongestChainsAreTaken() throws Exception {
        HandRing ring = new HandRing(SIZE, false);
        DeviceQueue queue = ring.queue(Feature.INDIRECT_DESC);
        DescriptorChain chain = HandRing.chain();
        for (int i = 0; i < SIZE; i++) {
            ring.split(i, ring.data(0), 1, i == SIZE - 1 ? 0 : NEXT, i + 1);
        }
        ring.offer(0);
        assertThat(queue.next(chain)).isTrue();
        assertThat(chain.descriptorCount()).isEqualTo(SIZE);
        queue.complete(chain, 0);
        queue.publish();

        for (int i = 0; i < DescriptorChain.MAX_SEGMENTS; i++) {
            boolean last = i == DescriptorChain.MAX_SEGMENTS - 1;
            ring.descriptor(ring.dataOffset + 16L * i, ring.data(i), 1, last ? 0 : NEXT, i + 1);
        }
        table(ring, 16 * DescriptorChain.MAX_SEGMENTS, 0);
        assertThat(queue.next(chain)).isTrue();
        assertThat(chain.descriptorCount()).isEqualTo(1);
        assertThat(chain.segmentCount()).isEqualTo(DescriptorChain.MAX_SEGMENTS);
        assertThat(chain.segmentGuestAddress(1023)).isEqualTo(ring.data(1023));
    }

    @Test
    void moreInFlightThanTheSizeIsAFault() throws Exception {
        HandRing ring = new HandRing(2, false);
        DeviceQueue queue = ring.queue(0);
        ring.split(0, ring.data(0), 1, WRITE, 0);
        ring.offer(0);
        ring.offer(0);
        assertThat(queue.next(HandRing.chain())).isTrue();
        assertThat(queue.next(HandRing.chain())).isTrue();
        ring.offer(0);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> queue.next(HandRing.chain()));
        assertThat(queue.inFlight()).isEqualTo(2);
    }

    @Test
    void theSameHeadTwiceInFlightHarmsNobody() throws Exception {
        HandRing ring = new HandRing(SIZE, false);
        DeviceQueue queue = ring.queue(0);
        DescriptorChain first = HandRing.chain();
        DescriptorChain second = HandRing.chain();
        ring.split(3, ring.data(0), 4, WRITE, 0);
        ring.offer(3);
        ring.offer(3);
        assertThat(queue.next(first) && queue.next(second)).isTrue();
        queue.complete(second, 4);
        queue.complete(first, 4);
        queue.publish();
        assertThat(ring.usedIndex()).isEqualTo(2);
        assertThat(queue.inFlight()).isZero();
    }

    @Test
    void ringsMustLieWellInTheMemory() {
        HandRing ring = new HandRing(SIZE, false);
        QueueConfig good = ring.config(Feature.EVENT_IDX);
        long end = HandRing.BASE + ring.host.byteSize();
        assertRefused(ring, at(good, 7, good.descriptorAddress(), good.driverAddress(), good.deviceAddress()));
        assertRefused(ring, at(good, 0, good.descriptorAddress(), good.driverAddress(), good.deviceAddress()));
        assertRefused(ring, at(good, 65536, good.descriptorAddress(), good.driverAddress(), good.deviceAddress()));
        assertRefused(ring, at(good, SIZE, good.descriptorAddress() + 8, good.driverAddress(), good.deviceAddress()));
        assertRefused(ring, at(good, SIZE, good.descriptorAddress(), good.driverAddress() + 1, good.deviceAddress()));
        assertRefused(ring, at(good, SIZE, good.descriptorAddress(), good.driverAddress(), good.deviceAddress() + 2));
        assertRefused(ring, at(good, SIZE, 0, good.driverAddress(), good.deviceAddress()));
        assertRefused(ring, at(good, SIZE, end - 64, good.driverAddress(), good.deviceAddress()));
        assertRefused(ring, at(good, SIZE, good.descriptorAddress(), good.driverAddress(), end - 68));
        assertRefused(ring, at(good, SIZE, -16, good.driverAddress(), good.deviceAddress()));
        assertRefused(ring, at(good, SIZE, good.descriptorAddress(), good.descriptorAddress() + 126, end - 128));
        assertRefused(ring, at(good, SIZE, good.descriptorAddress(), good.driverAddress(), good.driverAddress() + 20));
    }

    private static QueueConfig at(QueueConfig good, int size, long descriptors, long driver, long device) {
        return new QueueConfig(size, descriptors, driver, device, good.features(), good.state(), null);
    }

    private static void assertRefused(HandRing ring, QueueConfig config) {
        assertThatExceptionOfType(GuestFaultException.class)
                .as("%s", config)
                .isThrownBy(() -> DeviceQueue.create(config, ring.memory));
    }
}
