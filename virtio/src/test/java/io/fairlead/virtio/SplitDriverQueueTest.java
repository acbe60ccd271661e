package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The split driver against a device written by hand: single stores into the used ring. */
class SplitDriverQueueTest {
    private Virtqueue queue;
    private DriverQueue driver;
    private MemorySegment descriptors;
    private MemorySegment available;
    private MemorySegment used;

    private void start(int size, long features, int indirectEntries, int index) {
        queue = new Virtqueue(size, Feature.VERSION_1 | features, indirectEntries, 64);
        descriptors = queue.rings.descriptors();
        available = queue.rings.driverArea();
        used = queue.rings.deviceArea();
        driver = DriverQueue.create(queue.rings, new QueueState.Split(index, index));
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

    private void use(int index, int id, int length) {
        long element = RingLayout.usedElement(index & queue.rings.size() - 1);
        used.set(ValueLayout.JAVA_INT, element, id);
        used.set(ValueLayout.JAVA_INT, element + 4, length);
        used.set(ValueLayout.JAVA_SHORT, RingLayout.USED_INDEX, (short) (index + 1));
    }

    private static int u16(MemorySegment memory, long offset) {
        return memory.get(ValueLayout.JAVA_SHORT, offset) & 0xffff;
    }

    private void assertDescriptor(MemorySegment table, int index, long address, int length, int flags) {
        long at = RingLayout.descriptor(index);
        assertThat(table.get(ValueLayout.JAVA_LONG, at)).isEqualTo(address);
        assertThat(table.get(ValueLayout.JAVA_INT, at + 8)).isEqualTo(length);
        assertThat(u16(table, at + 12)).isEqualTo(flags);
    }

    @Test
    void aChainIsWrittenAndShownOnlyWhenPublished() {
        start(4, 0, 0, 0xffff);
        assertThat(add(1, 2, 5)).isTrue();
        assertThat(u16(available, RingLayout.AVAILABLE_INDEX)).isEqualTo(0xffff);
        assertThat(driver.publish()).isTrue();
        assertThat(driver.publish()).as("nothing new").isFalse();
        assertThat(u16(available, RingLayout.AVAILABLE_INDEX)).isZero();
        assertThat(u16(available, RingLayout.availableEntry(3))).isZero();
        assertDescriptor(descriptors, 0, 0x6000, 10, RingLayout.NEXT);
        assertDescriptor(descriptors, 1, 0x6001, 11, RingLayout.NEXT | RingLayout.WRITE);
        assertDescriptor(descriptors, 2, 0x6002, 12, RingLayout.WRITE);
        assertThat(u16(descriptors, RingLayout.descriptor(0) + 14)).isEqualTo(1);
        assertThat(u16(descriptors, RingLayout.descriptor(1) + 14)).isEqualTo(2);
        assertThat(driver.state()).isEqualTo(new QueueState.Split(0, 0xffff));
        assertThat(driver.freeDescriptors()).isEqualTo(1);
        assertThat(add(1, 1, 6)).as("no room").isFalse();
        assertThat(driver.outstanding()).isEqualTo(1);
    }

    @Test
    void severalPiecesGoIntoAnIndirectTable() {
        start(2, Feature.INDIRECT_DESC, 3, 0);
        assertThat(add(1, 0, 0)).isTrue();
        assertThat(add(2, 1, 1)).isTrue();
        assertDescriptor(descriptors, 0, 0x1000, 10, 0);
        long table = queue.rings.indirectAddress() + 3 * 16;
        assertDescriptor(descriptors, 1, table, 48, RingLayout.INDIRECT);
        MemorySegment tables = queue.rings.indirectTables();
        assertDescriptor(tables, 3, 0x2000, 10, RingLayout.NEXT);
        assertDescriptor(tables, 4, 0x2001, 11, RingLayout.NEXT);
        assertDescriptor(tables, 5, 0x2002, 12, RingLayout.WRITE);
        assertThat(driver.freeDescriptors()).isZero();
        assertThat(driver.hasRoom(3)).isFalse();
        assertThatThrownBy(() -> add(4, 0, 2)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void usedBuffersComeBackInTheDevicesOrder() throws DeviceFaultException {
        start(4, 0, 0, 0xffff);
        add(1, 1, 10);
        add(0, 1, 11);
        driver.publish();
        assertThat(driver.poll()).isFalse();
        use(0xffff, 2, 7);
        use(0, 0, 11);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isEqualTo(11);
        assertThat(driver.writtenBytes()).isEqualTo(7);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isEqualTo(10);
        assertThat(driver.writtenBytes()).isEqualTo(11);
        assertThat(driver.poll()).isFalse();
        assertThat(driver.freeDescriptors()).isEqualTo(4);
        assertThat(driver.state()).isEqualTo(new QueueState.Split(1, 1));
    }

    @Test
    void anInOrderDeviceMayWriteTheLastElementOfABatchAlone() throws DeviceFaultException {
        start(4, Feature.IN_ORDER, 0, 6);
        for (int token = 0; token < 3; token++) {
            add(0, 1, token);
        }
        driver.publish();
        // Two buffers, one element, at the first one's place.
        long element = RingLayout.usedElement(2);
        used.set(ValueLayout.JAVA_INT, element, 1);
        used.set(ValueLayout.JAVA_INT, element + 4, 3);
        used.set(ValueLayout.JAVA_SHORT, RingLayout.USED_INDEX, (short) 8);
        assertThat(driver.hasUsed()).isTrue();
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isZero();
        assertThat(driver.writtenBytes()).as("all its room").isEqualTo(10);
        assertThat(driver.hasUsed()).isTrue();
        assertThat(driver.enableInterrupts()).isTrue();
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isEqualTo(1);
        assertThat(driver.writtenBytes()).isEqualTo(3);
        assertThat(driver.poll()).isFalse();
        use(8, 2, 0);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.token()).isEqualTo(2);
    }

    @Test
    void inOrderChainsRunAroundTheTable() throws DeviceFaultException {
        start(4, Feature.IN_ORDER, 0, 0);
        for (int i = 0; i < 20; i++) {
            add(2, 1, i);
            driver.publish();
            int head = 3 * i & 3;
            assertThat(u16(available, RingLayout.availableEntry(i & 3))).isEqualTo(head);
            assertThat(u16(descriptors, RingLayout.descriptor(head) + 14)).isEqualTo(head + 1 & 3);
            assertThat(u16(descriptors, RingLayout.descriptor(head + 1 & 3) + 14))
                    .isEqualTo(head + 2 & 3);
            use(i, head, 0);
            assertThat(driver.poll()).isTrue();
        }
    }

    @Test
    void kicksFollowTheDevicesFlag() {
        start(4, 0, 0, 0);
        add(1, 0, 0);
        assertThat(driver.publish()).isTrue();
        used.set(ValueLayout.JAVA_SHORT, RingLayout.USED_FLAGS, (short) RingLayout.USED_NO_NOTIFY);
        add(1, 0, 1);
        assertThat(driver.publish()).isFalse();
    }

    @Test
    void kicksFollowTheDevicesEventIndex() {
        start(8, Feature.EVENT_IDX, 0, 0xfffe);
        used.set(ValueLayout.JAVA_SHORT, RingLayout.availableEvent(8), (short) 0);
        // With EVENT_IDX the flag has no meaning.
        used.set(ValueLayout.JAVA_SHORT, RingLayout.USED_FLAGS, (short) RingLayout.USED_NO_NOTIFY);
        add(1, 0, 0);
        add(1, 0, 1);
        assertThat(driver.publish()).as("entries fffe, ffff").isFalse();
        add(1, 0, 2);
        add(1, 0, 3);
        assertThat(driver.publish()).as("entries 0, 1").isTrue();
        add(1, 0, 4);
        assertThat(driver.publish()).as("entry 2").isFalse();
    }

    @Test
    void interruptsAreAskedForByFlag() {
        start(4, 0, 0, 0);
        driver.disableInterrupts();
        assertThat(u16(available, RingLayout.AVAILABLE_FLAGS)).isEqualTo(1);
        add(0, 1, 0);
        driver.publish();
        use(0, 0, 1);
        assertThat(driver.enableInterrupts()).isTrue();
        assertThat(u16(available, RingLayout.AVAILABLE_FLAGS)).isZero();
    }

    @Test
    void interruptsAreAskedForByEventIndex() throws DeviceFaultException {
        start(4, Feature.EVENT_IDX, 0, 0xffff);
        driver.disableInterrupts();
        assertThat(u16(available, RingLayout.usedEvent(4))).isEqualTo(0xfffe);
        add(0, 1, 0);
        driver.publish();
        use(0xffff, 0, 1);
        assertThat(driver.poll()).isTrue();
        assertThat(driver.enableInterrupts()).isFalse();
        assertThat(u16(available, RingLayout.usedEvent(4))).isZero();
        assertThat(u16(available, RingLayout.AVAILABLE_FLAGS)).isZero();
    }

    @Test
    void faultsOfTheDevice() {
        assertFault("never made available", 0, () -> use(5, 2, 0));
        assertFault("out of range", 0, () -> use(5, 4, 0));
        assertFault("negative", 0, () -> use(5, -1, 0));
        assertFault("inside a chain", 0, () -> use(5, 1, 0));
        assertFault("longer than the room", 0, () -> use(5, 0, 12));
        assertFault("length over 31 bits", 0, () -> use(5, 0, -1));
        assertFault("index too far", 0, () -> use(6, 0, 0));
        assertFault("index back", 0, () -> use(3, 0, 0));
        assertFault("not published", 0, () -> {
            add(0, 1, 99);
            use(5, 2, 0);
        });
        assertFault("batch longer than the index moved", Feature.IN_ORDER, () -> {
            add(0, 1, 99);
            driver.publish();
            use(5, 2, 0);
        });
    }

    private void assertFault(String what, long features, Runnable device) {
        start(4, features, 0, 5);
        add(1, 1, 7);
        driver.publish();
        device.run();
        assertThatThrownBy(driver::poll).as(what).isInstanceOf(DeviceFaultException.class);
        List<Long> returned = new ArrayList<>();
        driver.reset(returned::add);
        assertThat(returned).as(what).startsWith(7L).hasSizeBetween(1, 2);
        assertThat(driver.outstanding()).isZero();
        assertThat(driver.state()).isEqualTo(new QueueState.Split(0, 0));
        assertThat(driver.hasUsed()).isFalse();
        queue.close();
        queue = null;
    }

    @Test
    void anIdIsUsedOnce() throws DeviceFaultException {
        start(4, 0, 0, 5);
        add(0, 1, 7);
        add(0, 1, 8);
        driver.publish();
        use(5, 0, 1);
        assertThat(driver.poll()).isTrue();
        use(6, 0, 1);
        assertThatThrownBy(driver::poll).isInstanceOf(DeviceFaultException.class);
    }

    @Test
    void resetGivesBackTheOldestFirst() throws DeviceFaultException {
        start(4, 0, 0, 0);
        for (int token = 0; token < 4; token++) {
            add(0, 1, token);
        }
        driver.publish();
        use(0, 1, 1);
        driver.poll();
        add(0, 1, 4);
        List<Long> returned = new ArrayList<>();
        driver.reset(returned::add);
        assertThat(returned).containsExactly(0L, 2L, 3L, 4L);
        assertThat(add(2, 2, 9)).isTrue();
    }

    @Test
    void wrongArgumentsAreRefused() {
        start(4, 0, 0, 0);
        long[] addresses = new long[2];
        assertThatThrownBy(() -> driver.add(addresses, new int[] {1, 0}, 1, 1, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> driver.add(addresses, new int[] {1, 1}, 0, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> driver.add(addresses, new int[] {-1, 1}, 1, 1, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> add(3, 2, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThat(driver.freeDescriptors()).isEqualTo(4);
        assertThat(driver.outstanding()).isZero();
        DriverRings rings = queue.rings;
        assertThatThrownBy(() -> DriverQueue.create(rings, new QueueState.Split(3, 2)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> DriverQueue.create(rings, QueueState.initial(true)))
                .isInstanceOf(IllegalArgumentException.class);
        MemorySegment memory = queue.arena.allocate(4096, 64);
        assertThatThrownBy(() -> DriverRings.lay(memory, 0, 3, 0, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> DriverRings.lay(memory, 0, 4, 0, 2)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> DriverRings.lay(memory.asSlice(8), 0, 2, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> DriverRings.lay(memory.asSlice(0, 100), 0, 4, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> DriverRings.lay(MemorySegment.ofArray(new long[64]), 0, 2, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
