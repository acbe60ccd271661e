package io.fairlead.vdpa.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.RingLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A device and a guest that break the rules while the relay is in: the device needs a reset, and that makes it whole. */
@Timeout(60)
class HostileTest {
    private static final long SPLIT = Feature.VERSION_1 | Feature.INDIRECT_DESC;
    private static final long PACKED = SPLIT | Feature.RING_PACKED;

    private final Queue<String> reasons = new ConcurrentLinkedQueue<>();
    private long descriptorsBefore;
    private long mappingsBefore;
    private EventLoopGroup loops;
    private TestDevice inner;
    private RelayDevice relay;
    private TestGuest guest;
    private SharedDirtyLog log;

    @BeforeEach
    void count() throws IOException {
        descriptorsBefore = Fd.openCount();
        mappingsBefore = Mapping.openCount();
        loops = new EventLoopGroup(1);
    }

    private void start(long features) throws Exception {
        inner = new TestDevice(loops.next(), EnumSet.complementOf(EnumSet.of(Capability.DIRTY_LOG)), 1);
        relay = new RelayDevice(inner, loops, Duration.ofSeconds(1));
        relay.listener(new DeviceListener() {
            @Override
            public void configChanged() {}

            @Override
            public void needsReset(String reason) {
                reasons.add(reason);
            }
        });
        guest = new TestGuest(relay, 16);
        guest.start(features);
        log = SharedDirtyLog.create("hostile", TestGuest.BASE + TestGuest.BYTES);
        relay.dirtyLog(log);
        new TestLoad(guest, 1, 4, 4, false).run(10);
    }

    @AfterEach
    void aResetMakesItWhole() throws Exception {
        relay.reset();
        assertThat(relay.status()).isZero();
        inner.order = TestDevice.Order.FIRST_IN_FIRST_OUT;
        guest.start(SPLIT);
        new TestLoad(guest, 2, 4, 4, false).run(10);
        relay.close();
        guest.close();
        log.close();
        loops.close();
        assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
    }

    private void awaitNeedsReset(String reason) throws InterruptedException {
        while (reasons.isEmpty()) {
            Thread.sleep(1);
        }
        assertThat(reasons).hasSize(1).first().asString().contains(reason);
        assertThat(DeviceStatus.has(relay.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                .isTrue();
        assertThat(DeviceStatus.has(inner.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                .isFalse();
    }

    private static Stream<Arguments> badUsedElements() {
        return Stream.of(
                Arguments.of(15, 0, "used id 15 is of no available buffer"),
                Arguments.of(1 << 20, 0, "used id 1048576 is of no available buffer"),
                Arguments.of(-1, 0, "used id 4294967295 is of no available buffer"),
                Arguments.of(-2, 1 << 30, "bytes written to buffer"));
    }

    /** @param id what the device writes; -2 for that of the buffer */
    @ParameterizedTest
    @MethodSource("badUsedElements")
    void aDeviceThatWritesNonsenseIntoItsUsedRing(int id, int length, String reason) throws Exception {
        start(SPLIT);
        inner.order = TestDevice.Order.NEVER;
        fillOne();
        MemorySegment used = inner.ring(0);
        int index = used.get(ValueLayout.JAVA_SHORT, RingLayout.USED_INDEX) & 0xffff;
        long element = RingLayout.usedElement(index % relay.queueSetup(0).size());
        used.set(ValueLayout.JAVA_INT_UNALIGNED, element, id == -2 ? inner.lastHead : id);
        used.set(ValueLayout.JAVA_INT_UNALIGNED, element + 4, length);
        used.set(ValueLayout.JAVA_SHORT, RingLayout.USED_INDEX, (short) (index + 1));
        inner.signal(0);
        awaitNeedsReset(reason);
        assertThat(guest.queues[0].hasUsed()).isFalse();
        assertThat(relay.relayStatistics().total().guestFaults()).isZero();
    }

    @Test
    void aDeviceWhoseUsedIndexJumps() throws Exception {
        start(SPLIT);
        inner.order = TestDevice.Order.NEVER;
        fillOne();
        MemorySegment used = inner.ring(0);
        used.set(ValueLayout.JAVA_SHORT, RingLayout.USED_INDEX, (short) 30_000);
        inner.signal(0);
        awaitNeedsReset("used index went from");
    }

    /** Gives the device a request that it keeps. */
    private void fillOne() throws InterruptedException {
        int taken = inner.taken.get();
        long at = TestGuest.BASE + TestGuest.DATA;
        guest.at(at, 16).fill((byte) 0);
        assertThat(guest.queues[0].add(new long[] {at, at + 4096}, new int[] {16, 100}, 1, 1, 0))
                .isTrue();
        guest.publish(0);
        while (inner.taken.get() == taken) {
            Thread.sleep(1);
        }
    }

    private static Stream<Arguments> badAddresses() {
        // The third goes over the end; the last is where the relay's own rings lie for the device.
        return Stream.of(SPLIT, PACKED)
                .flatMap(features -> Stream.of(
                                0x10L, -1L, TestGuest.BASE + TestGuest.BYTES - 8, TestGuest.BASE + TestGuest.BYTES)
                        .map(address -> Arguments.of(features, address)));
    }

    @ParameterizedTest
    @MethodSource("badAddresses")
    void aGuestWithABufferOutsideOfItsMemory(long features, long address) throws Exception {
        start(features);
        int before = inner.taken.get();
        assertThat(guest.queues[0].add(new long[] {address}, new int[] {100}, 0, 1, 0))
                .isTrue();
        guest.publish(0);
        awaitGuestFault("outside the guest's memory", before);
    }

    private static Stream<Arguments> badDescriptors() {
        return Stream.of(
                Arguments.of(0, 0, "empty descriptor"),
                Arguments.of(17, RingLayout.INDIRECT, "indirect"),
                Arguments.of(32, RingLayout.INDIRECT | RingLayout.NEXT, "indirect"),
                Arguments.of(16, RingLayout.NEXT, "goes on at descriptor"));
    }

    @ParameterizedTest
    @MethodSource("badDescriptors")
    void aGuestWithABadDescriptor(int length, int flags, String reason) throws Exception {
        start(SPLIT);
        int before = inner.taken.get();
        assertThat(guest.queues[0].add(new long[] {TestGuest.BASE + TestGuest.DATA}, new int[] {16}, 0, 1, 0))
                .isTrue();
        MemorySegment available = guest.rings[0].driverArea();
        int index = available.get(ValueLayout.JAVA_SHORT, RingLayout.AVAILABLE_INDEX) & 0xffff;
        int head = available.get(ValueLayout.JAVA_SHORT, RingLayout.availableEntry(index % guest.rings[0].size()));
        long offset = RingLayout.descriptor(head);
        MemorySegment descriptors = guest.rings[0].descriptors();
        descriptors.set(ValueLayout.JAVA_INT_UNALIGNED, offset + RingLayout.DESCRIPTOR_LENGTH, length);
        descriptors.set(ValueLayout.JAVA_SHORT, offset + RingLayout.SPLIT_DESCRIPTOR_FLAGS, (short) flags);
        descriptors.set(ValueLayout.JAVA_SHORT, offset + RingLayout.SPLIT_DESCRIPTOR_NEXT, (short) 77);
        guest.publish(0);
        awaitGuestFault(reason, before);
    }

    private void awaitGuestFault(String reason, int takenBefore) throws InterruptedException {
        awaitNeedsReset(reason);
        assertThat(relay.statistics().total().guestFaults()).isEqualTo(1);
        assertThat(inner.taken.get()).isEqualTo(takenBefore);
    }

    @Test
    void aGuestWhoseRingsLieNowhere() throws Exception {
        start(SPLIT);
        relay.queueReady(0, false);
        relay.queueAddresses(0, 0x1000, 0x2000, 0x3000);
        relay.queueReady(0, true);
        awaitNeedsReset("outside the guest's memory");
        relay.dirtyLog(null);
    }

    @Test
    void aGuestWhoseRingsGoAwayWithItsMemory() throws Exception {
        start(SPLIT);
        guest.takeMemory();
        awaitNeedsReset("outside the guest's memory");
        guest.memory(List.of());
    }
}
