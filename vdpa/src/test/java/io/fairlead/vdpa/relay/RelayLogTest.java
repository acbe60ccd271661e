package io.fairlead.vdpa.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What is marked, in every layout, at rest and while the relay is switched under load. */
@Timeout(120)
class RelayLogTest extends RelayFixture {
    private static Stream<Arguments> layouts() {
        long indirect = Feature.INDIRECT_DESC;
        long event = Feature.EVENT_IDX;
        return Stream.of(SPLIT, PACKED)
                .flatMap(layout -> Stream.of(0L, indirect, event, indirect | event, indirect | event | Feature.IN_ORDER)
                        .map(extra -> Arguments.of(layout | extra)));
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void marksExactlyWhatWasWritten(long features) throws Exception {
        start(ALL, features, 64);
        inner.order =
                Feature.has(features, Feature.IN_ORDER) ? TestDevice.Order.FIRST_IN_FIRST_OUT : TestDevice.Order.RANDOM;
        TestLoad load = new TestLoad(guest, 11, 8, 6, false);
        load.run(100);
        load.written.clear();
        try (SharedDirtyLog log = newLog()) {
            relay.dirtyLog(log);
            assertThat(inner.innerSetup(0).descriptorAddress())
                    .isGreaterThanOrEqualTo(TestGuest.BASE + TestGuest.BYTES);
            byte[] before = guest.whole.segment().toArray(ValueLayout.JAVA_BYTE);
            load.run(30);
            relay.dirtyLog(null);
            BitSet pages = marked(log);
            BitSet data = (BitSet) pages.clone();
            data.clear(0, (int) (TestGuest.DATA >> 12));
            assertThat(data).isEqualTo(load.written);
            BitSet ring = (BitSet) pages.clone();
            ring.clear((int) (TestGuest.DATA >> 12), (int) (TestGuest.BYTES >> 12));
            BitSet allowed = TestLoad.ringPages(guest, 0);
            allowed.or(TestLoad.ringPages(guest, 1));
            BitSet stray = (BitSet) ring.clone();
            stray.andNot(allowed);
            assertThat(stray.isEmpty())
                    .as("marks outside of the rings: %s", stray)
                    .isTrue();
            BitSet missed = changed(before, TestLoad.rooms(TestLoad.MAX_DEPTH));
            missed.or(changed(before, usedRing()));
            missed.andNot(pages);
            assertThat(missed.isEmpty())
                    .as("changed and not marked: %s", missed)
                    .isTrue();
            assertThat(log.marksOutside()).isZero();
            assertThat(relay.statistics().markedPages()).hasValue(pages.cardinality());
            log.clear();
            load.run(30);
            assertThat(relay.statistics().markedPages()).hasValue(pages.cardinality());
            assertThat(marked(log).isEmpty())
                    .as("marks after the log was taken away")
                    .isTrue();
        }
        assertThat(inner.innerSetup(0)).isEqualTo(relay.queueSetup(0));
        assertThat(inner.resets).hasValue(0);
    }

    /** Of a split queue the pages that the device alone writes. */
    private BitSet usedRing() {
        return guest.rings[0].packed() ? new BitSet() : TestLoad.ringPages(guest, 0);
    }

    private static Stream<Arguments> underLoad() {
        long indirect = Feature.INDIRECT_DESC;
        long event = Feature.EVENT_IDX;
        return Stream.of(
                Arguments.of(ALL, SPLIT, 16, 4, false, TestDevice.Order.RANDOM),
                Arguments.of(ALL, SPLIT | event, 64, 8, true, TestDevice.Order.SLOW),
                Arguments.of(ALL, SPLIT | event | indirect, 16, 6, false, TestDevice.Order.SLOW),
                Arguments.of(ALL, PACKED, 33, 4, false, TestDevice.Order.RANDOM),
                Arguments.of(ALL, PACKED | event, 64, 8, true, TestDevice.Order.SLOW),
                Arguments.of(ALL, PACKED | event | indirect, 17, 6, false, TestDevice.Order.SLOW),
                Arguments.of(ALL, SPLIT | event | Feature.IN_ORDER, 32, 4, false, TestDevice.Order.FIRST_IN_FIRST_OUT),
                Arguments.of(ALL, PACKED | event | Feature.IN_ORDER, 32, 4, false, TestDevice.Order.FIRST_IN_FIRST_OUT),
                Arguments.of(ONLY_SUSPEND, SPLIT | event | indirect, 64, 6, true, TestDevice.Order.SLOW),
                Arguments.of(ONLY_SUSPEND, PACKED | event | indirect, 64, 6, false, TestDevice.Order.RANDOM),
                Arguments.of(NOTHING, SPLIT, 64, 4, false, TestDevice.Order.RANDOM),
                Arguments.of(NOTHING, SPLIT | event | indirect, 32, 4, false, TestDevice.Order.SLOW));
    }

    @ParameterizedTest
    @MethodSource("underLoad")
    void switchesUnderLoad(
            Set<Capability> capabilities, long features, int size, int pieces, boolean polls, TestDevice.Order order)
            throws Exception {
        start(capabilities, features, size);
        inner.order = order;
        SplittableRandom random = new SplittableRandom(size);
        TestLoad load = new TestLoad(guest, 5, 12, pieces, polls);
        load.startThread();
        BitSet rooms = TestLoad.rooms(TestLoad.MAX_DEPTH);
        for (int i = 0; i < 25 && !load.isOver(); i++) {
            try (SharedDirtyLog log = newLog()) {
                relay.dirtyLog(log);
                byte[] before = guest.whole.segment().toArray(ValueLayout.JAVA_BYTE);
                Thread.sleep(random.nextInt(8));
                if (i % 3 == 0) {
                    guest.memory(
                            i % 2 == 0 ? List.of() : List.of(new long[] {TestGuest.BASE + TestGuest.BYTES, 65536}));
                }
                Thread.sleep(random.nextInt(3));
                BitSet missed = changed(before, rooms);
                relay.dirtyLog(null);
                missed.andNot(marked(log));
                assertThat(missed.isEmpty())
                        .as("changed and not marked: %s", missed)
                        .isTrue();
            }
            Thread.sleep(random.nextInt(4));
        }
        assertThat(load.stop()).isGreaterThan(100);
        assertThat(DeviceStatus.has(relay.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                .isFalse();
        assertThat(relay.status()).isEqualTo(15);
    }
}
