package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The packed driver against a device written by hand: single stores into the ring. */
class PackedDriverQueueTest {
    private static final int A = RingLayout.PACKED_AVAIL;
    private static final int U = RingLayout.PACKED_USED;

    private Virtqueue queue;
    private DriverQueue driver;
    private MemorySegment ring;

    private void start(int size, long features, int indirectEntries, int position, boolean wrap) {
        queue = new Virtqueue(size, Feature.VERSION_1 | Feature.RING_PACKED | features, indirectEntries, 64);
        ring = queue.rings.descriptors();
        driver = DriverQueue.create(queue.rings, new QueueState.Packed(position, wrap, position, wrap));
    }

    @AfterEach
    void close() {
        if (queue != null) {
            queue.close();
        }
    }

    private boolean add(int readable, int writable, long token) {
        int pieces = readable + writable;
        long[] addresses = new long[pieces];
        int[] lengths = new int[pieces];
        for (int i = 0; i < pieces; i++) {
            addresses[i] = 0x1000 * (token + 1) + i;
            lengths[i] = 10 + i;
        }
        return driver.add(addresses, lengths, readable, writable, token);
    }

    private int id(int position) {
        return ring.get(ValueLayout.JAVA_SHORT, RingLayout.descriptor(position) + 12) & 0xffff;
    }

    private int flags(int position) {
        return ring.get(ValueLayout.JAVA_SHORT, RingLayout.descriptor(position) + 14) & 0xffff;
    }

    private void use(int position, int id, int length, int flags) {
        long at = RingLayout.descriptor(position);
        ring.set(ValueLayout.JAVA_INT, at + 8, length);
        ring.set(ValueLayout.JAVA_SHORT, at + 12, (short) id);
        ring.set(ValueLayout.JAVA_SHORT, at + 14, (short) flags);
    }

    @Test
    void oneStoreShowsABatch() {
        start(5, 0, 0, 3, true);
        assertThat(add(1, 2, 0)).isTrue();
        assertThat(add(0, 1, 1)).isTrue();
        assertThat(flags(3)).as("not shown yet").isEqualTo(0);
        assertThat(flags(4)).isEqualTo(A | RingLayout.NEXT | RingLayout.WRITE);
        assertThat(flags(0)).as("the next lap").isEqualTo(U | RingLayout.WRITE);
        assertThat(flags(1)).isEqualTo(U | RingLayout.WRITE);
        assertThat(driver.state()).isEqualTo(new QueueState.Packed(3, true, 3, true));
        assertThat(driver.publish()).isTrue();
        assertThat(driver.publish()).as("nothing new").isFalse();
        assertThat(flags(3)).isEqualTo(A | RingLayout.NEXT);
        assertThat(id(0)).isEqualTo(id(3)).isNotEqualTo(id(1));
        assertThat(driver.state()).isEqualTo(new QueueState.Packed(2, false, 3, true));
        assertThat(driver.freeDescriptors()).isEqualTo(1);
    }

    @Test
    void aRingStandsAsIfAllHadBeenUsed() {
        start(4, 0, 0, 2, false);
        assertThat(List.of(flags(0), flags(1), flags(2), flags(3))).containsExactly(0, 0, A | U, A | U);
        assertThat(driver.hasUsed()).isFalse();
    }

    @Test
    void severalPiecesGoIntoAnIndirectTable() {
        start(2, Feature.INDIRECT_DESC, 3, 0, true);
        assertThat(add(2, 1, 1)).isTrue();
        driver.publish();
        int id = id(0);
        long table = 48L * id;
        assertThat(flags(0)).isEqualTo(A | RingLayout.INDIRECT);
        assertThat(ring.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(queue.rings.indirectAddress() + table);
        assertThat(ring.get(ValueLayout.JAVA_INT, 8)).isEqualTo(48);
        MemorySegment tables = queue.rings.indirectTables();
        assertThat(tables.get(ValueLayout.JAVA_LONG, table + 32)).isEqualTo(0x2002);
        assertThat(tables.get(ValueLayout.JAVA_INT, table + 40)).isEqualTo(12);
        assertThat(tables.get(ValueLayout.JAVA_SHORT, table + 46)).isEqualTo((short) RingLayout.WRITE);
        assertThat(tables.get(ValueLayout.JAVA_SHORT, table + 30)).isEqualTo((short) 0);
        assertThat(driver.freeDescriptors()).isEqualTo(1);
    }

    @Test
    void usedBuffersComeBackInTheDevicesOrder() throws DeviceFaultException {
        start(5, 0, 0, 3, true);
        add(1, 2, 10);
        add(0, 1, 11);
        driver.publish();
        int first = id(3);
        int second = id(1);
        assertThat(driver.poll()).isFalse();
        use(3, second, 4, A | U | RingLayout.WRITE);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isEqualTo(11);
        assertThat(driver.writtenBytes()).isEqualTo(4);
        assertThat(driver.poll()).isFalse();
        use(4, first, 23, A | U | RingLayout.WRITE);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isEqualTo(10);
        assertThat(driver.writtenBytes()).isEqualTo(23);
        assertThat(driver.state()).isEqualTo(new QueueState.Packed(2, false, 2, false));
        assertThat(driver.freeDescriptors()).isEqualTo(5);
    }

    @Test
    void aLengthWithoutTheWriteFlagCountsWhereItFits() throws DeviceFaultException {
        start(4, 0, 0, 0, true);
        add(0, 1, 0);
        add(0, 1, 1);
        driver.publish();
        use(0, id(0), 10, A | U);
        use(1, id(1), 11, A | U);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.writtenBytes()).isEqualTo(10);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.writtenBytes()).isZero();
    }

    @Test
    void anInOrderDeviceMayWriteTheLastDescriptorOfABatchAlone() throws DeviceFaultException {
        start(4, Feature.IN_ORDER, 0, 3, true);
        add(0, 2, 0);
        add(0, 1, 1);
        add(0, 1, 2);
        driver.publish();
        int third = id(2);
        use(3, id(1), 3, A | U | RingLayout.WRITE);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isZero();
        assertThat(driver.writtenBytes()).as("all its room").isEqualTo(21);
        assertThat(driver.hasUsed()).isTrue();
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isEqualTo(1);
        assertThat(driver.writtenBytes()).isEqualTo(3);
        assertThat(driver.poll()).isFalse();
        use(2, third, 0, 0);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isEqualTo(2);
    }

    private void wish(int position, boolean wrap, int flags) {
        queue.rings.deviceArea().set(ValueLayout.JAVA_INT, 0, position | (wrap ? 0x8000 : 0) | flags << 16);
    }

    @Test
    void kicksFollowTheDevicesFlags() {
        start(4, 0, 0, 0, true);
        wish(0, false, RingLayout.EVENT_FLAGS_DISABLE);
        add(1, 0, 0);
        assertThat(driver.publish()).isFalse();
        wish(0, false, RingLayout.EVENT_FLAGS_ENABLE);
        add(1, 0, 1);
        assertThat(driver.publish()).isTrue();
        // Not negotiated: rather a kick too many.
        wish(0, false, RingLayout.EVENT_FLAGS_DESCRIPTOR);
        add(1, 0, 2);
        assertThat(driver.publish()).isTrue();
    }

    @Test
    void kicksFollowTheDevicesDescriptor() {
        for (int size : new int[] {1, 3, 8}) {
            for (int position = 0; position < size; position++) {
                for (int moved = 1; moved <= size; moved++) {
                    for (int event = 0; event < 2 * size; event++) {
                        kick(size, position, moved, event);
                    }
                }
            }
        }
    }

    /** Positions of two laps in a row: 0 to size - 1 with wrap counter true, the rest with false. */
    private void kick(int size, int position, int moved, int event) {
        start(size, Feature.EVENT_IDX, 0, position, true);
        wish(event % size, event < size, RingLayout.EVENT_FLAGS_DESCRIPTOR);
        for (int i = 0; i < moved; i++) {
            add(1, 0, i);
        }
        boolean passed = event >= position && event < position + moved;
        assertThat(driver.publish())
                .as("size %d from %d by %d event %d", size, position, moved, event)
                .isEqualTo(passed);
        queue.close();
        queue = null;
    }

    @Test
    void interruptsAreAskedForByFlagOrDescriptor() throws DeviceFaultException {
        start(4, 0, 0, 3, false);
        MemorySegment event = queue.rings.driverArea();
        driver.disableInterrupts();
        assertThat(event.get(ValueLayout.JAVA_INT, 0) >>> 16).isEqualTo(RingLayout.EVENT_FLAGS_DISABLE);
        assertThat(driver.enableInterrupts()).isFalse();
        assertThat(event.get(ValueLayout.JAVA_INT, 0) >>> 16).isEqualTo(RingLayout.EVENT_FLAGS_ENABLE);
        queue.close();

        start(4, Feature.EVENT_IDX, 0, 3, true);
        event = queue.rings.driverArea();
        assertThat(driver.enableInterrupts()).isFalse();
        assertThat(event.get(ValueLayout.JAVA_INT, 0)).isEqualTo(0x8003 | RingLayout.EVENT_FLAGS_DESCRIPTOR << 16);
        add(1, 0, 0);
        driver.publish();
        use(3, id(3), 0, A | U);
        assertThat(driver.enableInterrupts()).isTrue();
        assertThat(driver.poll()).isTrue();
        driver.disableInterrupts();
        assertThat(driver.enableInterrupts()).isFalse();
        assertThat(event.get(ValueLayout.JAVA_INT, 0)).isEqualTo(RingLayout.EVENT_FLAGS_DESCRIPTOR << 16);
    }

    @Test
    void faultsOfTheDevice() {
        int used = A | U | RingLayout.WRITE;
        assertFault("never made available", () -> use(1, id(1) == 0 ? 1 : 0, 0, used));
        assertFault("out of range", () -> use(1, 4, 0, used));
        assertFault("far out of range", () -> use(1, 0xffff, 0, used));
        assertFault("longer than the room", () -> use(1, id(1), 12, used));
        assertFault("length over 31 bits", () -> use(1, id(1), -1, used));
        assertFault("not published", () -> {
            add(0, 1, 99);
            use(1, id(3), 0, used);
        });
    }

    private void assertFault(String what, Runnable device) {
        for (long features : new long[] {0, Feature.IN_ORDER}) {
            start(4, features, 0, 1, true);
            add(1, 1, 7);
            driver.publish();
            device.run();
            assertThatThrownBy(driver::poll).as(what).isInstanceOf(DeviceFaultException.class);
            List<Long> returned = new ArrayList<>();
            driver.reset(returned::add);
            assertThat(returned).as(what).startsWith(7L).hasSizeBetween(1, 2);
            assertThat(driver.outstanding()).isZero();
            assertThat(driver.state()).isEqualTo(QueueState.initial(true));
            assertThat(driver.hasUsed()).isFalse();
            queue.close();
            queue = null;
        }
    }

    @Test
    void positionsOutsideTheRingAreRefused() {
        start(4, 0, 0, 0, true);
        DriverRings rings = queue.rings;
        assertThatThrownBy(() -> DriverQueue.create(rings, new QueueState.Packed(4, true, 4, true)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> DriverQueue.create(rings, new QueueState.Packed(1, true, 1, false)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> DriverQueue.create(rings, QueueState.initial(false)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
