package io.fairlead.vdpa.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.InflightRegion;
import io.fairlead.virtio.QueueConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The contract of a device while its relay is in, and its switches, whatever the device behind can do. */
@Timeout(120)
class RelayDeviceTest extends RelayFixture {
    @ParameterizedTest
    @MethodSource("everyWayToStop")
    void receiveBuffersAreTakenBackAndFilledInOrder(Set<Capability> capabilities, long features) throws Exception {
        start(capabilities, features, 16);
        int filled = 0;
        for (int i = 0; i < 16; i++) {
            addReceiveBuffer(i);
        }
        guest.publish(TestDevice.EVENTS);
        for (int round = 0; round < 12; round++) {
            SharedDirtyLog log = round % 2 == 0 ? newLog() : null;
            relay.dirtyLog(log);
            for (int i = 0; i < 5; i++) {
                inner.event(10 + filled % 50);
                awaitReceived(filled);
                filled++;
                addReceiveBuffer(filled + 15);
                guest.publish(TestDevice.EVENTS);
            }
            if (log != null) {
                BitSet data = marked(log);
                data.clear(0, (int) (TestGuest.DATA >> 12));
                BitSet expected = new BitSet();
                for (int i = filled - 5; i < filled; i++) {
                    TestLoad.mark(expected, bufferOf(i), 10 + i % 50);
                }
                assertThat(data).isEqualTo(expected);
                relay.dirtyLog(null);
                log.close();
            }
        }
        assertThat(guest.queues[TestDevice.EVENTS].outstanding()).isEqualTo(16);
    }

    private static Stream<Arguments> everyWayToStop() {
        return Stream.of(
                Arguments.of(ALL, SPLIT),
                Arguments.of(ALL, PACKED | Feature.EVENT_IDX),
                Arguments.of(ONLY_SUSPEND, PACKED),
                Arguments.of(ONLY_SUSPEND, SPLIT | Feature.EVENT_IDX),
                Arguments.of(NOTHING, SPLIT),
                Arguments.of(NOTHING, SPLIT | Feature.EVENT_IDX));
    }

    private static long bufferOf(int number) {
        return TestGuest.BASE + TestGuest.DATA + (number % 32) * 8192L + 4000;
    }

    private void addReceiveBuffer(int number) {
        assertThat(guest.queues[TestDevice.EVENTS].add(new long[] {bufferOf(number)}, new int[] {1000}, 0, 1, number))
                .isTrue();
    }

    private void awaitReceived(int number) throws Exception {
        long end = System.nanoTime() + DEADLINE.toNanos();
        while (!guest.queues[TestDevice.EVENTS].poll()) {
            assertThat(System.nanoTime()).as("event %d", number).isLessThan(end);
            Thread.sleep(1);
        }
        assertThat(guest.queues[TestDevice.EVENTS].token()).isEqualTo(number);
        int byteCount = 10 + number % 50;
        assertThat(guest.queues[TestDevice.EVENTS].writtenBytes()).isEqualTo(byteCount);
        assertThat(guest.at(bufferOf(number), byteCount).get(ValueLayout.JAVA_BYTE, byteCount - 1))
                .isEqualTo(TestQueue.content(byteCount, byteCount - 1));
    }

    @ParameterizedTest
    @MethodSource("everyWayToStop")
    void stopsAndGoesOnWhileRelayed(Set<Capability> capabilities, long features) throws Exception {
        start(capabilities, features, 32);
        TestLoad load = new TestLoad(guest, 21, 8, 4, false);
        load.run(40);
        addReceiveBuffer(0);
        guest.publish(TestDevice.EVENTS);
        try (SharedDirtyLog log = newLog()) {
            relay.dirtyLog(log);
            load.run(40);
            relay.queueReady(0, false);
            assertThat(relay.queueReady(0)).isFalse();
            QueueState stopped = relay.queueState(0);
            assertThat(stopped).isEqualTo(guest.queues[0].state());
            load.fill();
            relay.queueState(0, stopped);
            relay.queueReady(0, true);
            load.await();
            relay.queueReady(TestDevice.EVENTS, false);
            assertThat(relay.queueState(TestDevice.EVENTS)).isEqualTo(QueueState.initial(guest.rings[1].packed()));
            relay.queueReady(TestDevice.EVENTS, true);
            inner.event(20);
            awaitReceivedBytes(20);
            relay.dirtyLog(null);
            load.run(40);
        }
    }

    private void awaitReceivedBytes(int byteCount) throws Exception {
        long end = System.nanoTime() + DEADLINE.toNanos();
        while (!guest.queues[TestDevice.EVENTS].poll()) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread.sleep(1);
        }
        assertThat(guest.queues[TestDevice.EVENTS].writtenBytes()).isEqualTo(byteCount);
    }

    @Test
    void suspendsInEitherModeAndChangesModeMeanwhile() throws Exception {
        start(ALL, PACKED | Feature.EVENT_IDX, 32);
        TestLoad load = new TestLoad(guest, 22, 8, 4, false);
        load.run(20);
        try (SharedDirtyLog log = newLog()) {
            // From direct to relayed.
            relay.suspend();
            assertThat(relay.queueState(0)).isEqualTo(guest.queues[0].state());
            load.fill();
            relay.dirtyLog(log);
            relay.resume();
            load.await();
            assertThat(inner.innerSetup(0)).isNotEqualTo(relay.queueSetup(0));
            load.run(20);
            // Relayed, and still.
            relay.suspend();
            assertThat(relay.queueState(0)).isEqualTo(guest.queues[0].state());
            load.fill();
            relay.resume();
            load.await();
            // Back to direct.
            relay.suspend();
            relay.dirtyLog(null);
            log.clear();
            relay.resume();
            load.run(20);
            assertThat(marked(log).isEmpty()).isTrue();
            assertThat(inner.innerSetup(0)).isEqualTo(relay.queueSetup(0));
        }
    }

    @Test
    void aDeviceThatMustBeResetKeepsWhatTheDriverSetUp() throws Exception {
        start(NOTHING, SPLIT, 32);
        assertThat(relay.deviceFeatures() & Feature.RING_PACKED).isZero();
        assertThat(relay.capabilities())
                .containsExactlyInAnyOrder(Capability.DIRTY_LOG, Capability.QUEUE_STOP, Capability.QUEUE_STATE);
        relay.writeConfig(2, MemorySegment.ofArray(new byte[] {5, 0, 6}));
        int generation = relay.configGeneration();
        try (SharedDirtyLog log = newLog()) {
            relay.dirtyLog(log);
            relay.dirtyLog(null);
        }
        assertThat(inner.resets).hasValue(2);
        assertThat(relay.status()).isEqualTo(15);
        assertThat(inner.status()).isEqualTo(15);
        assertThat(relay.driverFeatures()).isEqualTo(SPLIT);
        assertThat(relay.configGeneration()).isEqualTo(generation);
        byte[] config = new byte[8];
        relay.readConfig(0, MemorySegment.ofArray(config));
        assertThat(config).containsExactly(0, 0, 5, 0, 6, 0, 0, 0);
    }

    @Test
    void aDeviceThatIsNeverIdleStaysAsItIs() throws Exception {
        start(NOTHING, SPLIT, 32, Duration.ofMillis(50));
        inner.order = TestDevice.Order.NEVER;
        TestLoad load = new TestLoad(guest, 23, 4, 4, false);
        load.fill();
        try (SharedDirtyLog log = newLog()) {
            assertThatThrownBy(() -> relay.dirtyLog(log))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("queue 0 still had")
                    .hasMessageContaining("everything goes on as before");
            inner.order = TestDevice.Order.RANDOM;
            inner.wake();
            load.await();
            load.run(20);
            assertThat(inner.resets).hasValue(0);
            assertThat(inner.innerSetup(0)).isEqualTo(relay.queueSetup(0));
            // In time, and then out again not in time.
            relay.dirtyLog(log);
            inner.order = TestDevice.Order.NEVER;
            int taken = inner.taken.get();
            load.fill();
            while (inner.taken.get() == taken) {
                Thread.sleep(1);
            }
            assertThatThrownBy(() -> relay.dirtyLog(null)).isInstanceOf(IOException.class);
            inner.order = TestDevice.Order.RANDOM;
            inner.wake();
            load.await();
            assertThat(inner.resets).hasValue(1);
            relay.dirtyLog(null);
            load.run(20);
        }
    }

    @Test
    void aDeviceThatCannotStartInTheMiddleKeepsItsRelayUntilTheReset() throws Exception {
        start(NOTHING, SPLIT, 32);
        inner.onlyInitialState = true;
        TestLoad load = new TestLoad(guest, 24, 4, 4, false);
        load.run(20);
        try (SharedDirtyLog log = newLog()) {
            relay.dirtyLog(log);
            load.run(20);
            relay.dirtyLog(null);
            log.clear();
            load.run(20);
            assertThat(marked(log).isEmpty()).isTrue();
            assertThat(inner.innerSetup(0)).isNotEqualTo(relay.queueSetup(0));
            relay.dirtyLog(log);
            load.run(20);
            assertThat(marked(log).isEmpty()).isFalse();
        }
        relay.reset();
        guest.start(SPLIT);
        new TestLoad(guest, 25, 4, 4, false).run(20);
        assertThat(inner.innerSetup(0)).isEqualTo(relay.queueSetup(0));
    }

    @Test
    void aDeviceThatStartsAtTheBeginningOnlyHasARelayWhereItComesUponARingInTheMiddle() throws Exception {
        start(NOTHING, SPLIT, 32);
        inner.onlyInitialState = true;
        TestLoad load = new TestLoad(guest, 27, 4, 4, false);
        load.run(20);
        // As a machine that is stopped and goes on.
        relay.queueReady(0, false);
        assertThat(relay.queueState(0)).isInstanceOf(QueueState.Split.class).isNotEqualTo(new QueueState.Split(0, 0));
        relay.queueReady(0, true);
        load.run(20);
        assertThat(inner.innerSetup(0)).isNotEqualTo(relay.queueSetup(0));
        // The other queue was at its beginning still; with a log, both are relayed.
        try (SharedDirtyLog log = newLog()) {
            relay.dirtyLog(log);
            load.run(20);
            assertThat(marked(log).isEmpty()).isFalse();
            assertThat(inner.innerSetup(1)).isNotEqualTo(relay.queueSetup(1));
        }
    }

    @Test
    void aResetWhileRelayedTakesTheRelayOut() throws Exception {
        start(ALL, SPLIT | Feature.EVENT_IDX, 32);
        inner.order = TestDevice.Order.SLOW;
        TestLoad load = new TestLoad(guest, 26, 8, 4, false);
        try (SharedDirtyLog log = newLog()) {
            relay.dirtyLog(log);
            load.fill();
            relay.reset();
            assertThat(relay.status()).isZero();
            assertThat(relay.queueReady(0)).isFalse();
            log.clear();
            guest.start(PACKED);
            new TestLoad(guest, 27, 8, 4, false).run(20);
            assertThat(marked(log).isEmpty()).isTrue();
        }
    }

    @Test
    void theShadowLiesOutsideOfTheGuestsMemoryAndMovesOutOfItsWay() throws Exception {
        start(ALL, SPLIT | Feature.INDIRECT_DESC, 32);
        TestLoad load = new TestLoad(guest, 28, 8, 6, false);
        try (SharedDirtyLog log = newLog()) {
            relay.dirtyLog(log);
            assertThat(shadows()).hasSize(1);
            long before = shadows().getFirst();
            assertThat(before).isGreaterThanOrEqualTo(TestGuest.BASE + TestGuest.BYTES);
            load.run(20);
            load.fill();
            guest.memory(List.of(new long[] {before, 4096}));
            load.await();
            assertThat(shadows()).hasSize(1);
            assertThat(shadows().getFirst()).isGreaterThan(before);
            load.run(20);
            relay.dirtyLog(null);
            assertThat(shadows()).isEmpty();
        }
    }

    /** Guest addresses of the device's regions that are not the guest's. */
    private List<Long> shadows() {
        return inner.table().regions().stream()
                .map(MemoryRegion::guestAddress)
                .filter(address -> address >= TestGuest.BASE + TestGuest.BYTES)
                .filter(address -> address != guest.moreAddress())
                .toList();
    }

    @Test
    void replacedDescriptorsAreUsedInEitherMode() throws Exception {
        start(ALL, SPLIT, 32);
        TestLoad load = new TestLoad(guest, 29, 8, 4, false);
        try (SharedDirtyLog log = newLog()) {
            guest.replaceEvents(0);
            load.run(20);
            relay.dirtyLog(log);
            guest.replaceEvents(0);
            load.run(20);
            relay.dirtyLog(null);
            load.run(20);
        }
    }

    @ParameterizedTest
    @MethodSource("layoutsAndMemory")
    void requestsOfAnotherDeviceAreTakenUpOnceTheyAreSettledThere(long features, boolean memory) throws Exception {
        start(ALL, features, 32);
        TestLoad load = new TestLoad(guest, 30, 8, 4, false);
        load.run(20);
        relay.queueReady(0, false);
        QueueState stopped = relay.queueState(0);
        load.fill();
        int left = guest.queues[0].outstanding();
        long regionBytes = InflightRegion.byteCount(32, guest.rings[0].packed());
        try (SharedDirtyLog log = newLog();
                Arena arena = Arena.ofShared()) {
            relay.dirtyLog(log);
            if (memory) {
                relay.queueInflight(0, arena.allocate(regionBytes, 64));
            }
            // As if another device had taken all of them.
            MemorySegment other = arena.allocate(regionBytes, 64);
            DeviceQueue taker = DeviceQueue.create(
                    new QueueConfig(
                            32,
                            guest.rings[0].descriptorAddress(),
                            guest.rings[0].driverAddress(),
                            guest.rings[0].deviceAddress(),
                            features,
                            stopped,
                            other),
                    inner.table().memory());
            while (taker.next(new DescriptorChain(arena.allocate(DescriptorChain.IOVEC_BYTES, 8)))) {}
            CompletableFuture<Void> settled = new CompletableFuture<>();
            relay.queueState(0, taker.state());
            relay.carryOver(0, InflightRegion.read(other, 32, taker.state()), settled);
            int takenBefore = inner.taken.get();
            relay.queueReady(0, true);
            load.more(3);
            while (inner.taken.get() < takenBefore + 3) {
                Thread.sleep(1);
            }
            assertThat(inner.taken.get()).isEqualTo(takenBefore + 3);
            settled.complete(null);
            load.await();
            assertThat(inner.taken.get()).isEqualTo(takenBefore + 3 + left);
            load.run(20);
            relay.dirtyLog(null);
            load.run(20);
            relay.queueReady(0, false);
            relay.queueInflight(0, null);
        }
    }

    private static Stream<Arguments> layoutsAndMemory() {
        return Stream.of(SPLIT, PACKED)
                .flatMap(features -> Stream.of(false, true).map(memory -> Arguments.of(features, memory)));
    }
}
