package io.fairlead.vdpa.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.vdpa.Departure;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A device goes away under its driver, and another goes on in its place. */
@Timeout(120)
class SubstituteTest extends RelayFixture {
    private static final int STATUS =
            DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK;

    private final List<String> told = new ArrayList<>();
    private final List<TestDevice> made = new ArrayList<>();
    private @Nullable IOException refusal;

    private final Substitute substitute = new Substitute() {
        @Override
        public long features() {
            return ~Feature.IN_ORDER;
        }

        @Override
        public VdpaDevice make(VdpaDevice gone) throws IOException {
            IOException thrown = refusal;
            if (thrown != null) {
                throw thrown;
            }
            TestDevice device = new TestDevice(nextLoop(), ALL, 4);
            made.add(device);
            return device;
        }
    };

    /** As the device's owner gives it. */
    private static final class Leaving implements Departure {
        private final boolean serves;
        private final CountDownLatch gone = new CountDownLatch(1);

        Leaving(boolean serves) {
            this.serves = serves;
        }

        @Override
        public String reason() {
            return "the card is pulled";
        }

        @Override
        public boolean serves() {
            return serves;
        }

        @Override
        public void letGo() {
            gone.countDown();
        }

        void await() throws InterruptedException {
            assertThat(gone.await(20, TimeUnit.SECONDS)).isTrue();
        }
    }

    private void begin(Set<Capability> capabilities, long features, Duration deadline) throws IOException {
        start(capabilities, features, 64, deadline, substitute);
        relay.status(STATUS);
        relay.listener(new DeviceListener() {
            @Override
            public void configChanged() {
                told.add("changed");
            }

            @Override
            public void needsReset(String reason) {
                told.add(reason);
            }
        });
    }

    private void leave(boolean serves) throws InterruptedException {
        Leaving departure = new Leaving(serves);
        assertThat(inner.isLeaving(departure)).isTrue();
        departure.await();
    }

    private static Stream<Arguments> everyWayToStop() {
        return Stream.of(
                Arguments.of(ALL, SPLIT | Feature.EVENT_IDX),
                Arguments.of(ALL, PACKED),
                Arguments.of(ONLY_SUSPEND, PACKED | Feature.EVENT_IDX),
                Arguments.of(ONLY_SUSPEND, SPLIT),
                Arguments.of(NOTHING, SPLIT | Feature.EVENT_IDX));
    }

    @ParameterizedTest
    @MethodSource("everyWayToStop")
    void underLoadNothingIsLostAndNothingIsDoneTwice(Set<Capability> capabilities, long features) throws Exception {
        begin(capabilities, features, DEADLINE);
        inner.order = TestDevice.Order.RANDOM;
        TestLoad load = new TestLoad(guest, 5, 8, 4, false);
        load.startThread();
        Thread.sleep(100);
        leave(true);
        int atInner = inner.taken.get();
        Thread.sleep(100);
        assertThat(load.stop()).isPositive();
        assertThat(inner.taken).hasValue(atInner);
        assertThat(made).singleElement().satisfies(device -> {
            assertThat(device.taken.get()).isPositive();
            assertThat(device.status()).isEqualTo(STATUS);
            assertThat(device.driverFeatures()).isEqualTo(features);
        });
        assertThat(relay.status()).isEqualTo(STATUS);
        assertThat(told).containsExactly("changed");
    }

    @ParameterizedTest
    @MethodSource("everyWayToStop")
    void whileRelayedTheLogGoesOn(Set<Capability> capabilities, long features) throws Exception {
        begin(capabilities, features, DEADLINE);
        TestLoad load = new TestLoad(guest, 6, 8, 4, false);
        load.run(20);
        try (SharedDirtyLog log = newLog()) {
            relay.dirtyLog(log);
            load.written.clear();
            load.startThread();
            Thread.sleep(50);
            leave(true);
            Thread.sleep(50);
            assertThat(load.stop()).isPositive();
            var missing = load.written;
            missing.andNot(marked(log));
            assertThat(missing.isEmpty())
                    .as("written and not marked: %s", missing)
                    .isTrue();
            relay.dirtyLog(null);
        }
        load = new TestLoad(guest, 7, 8, 4, false);
        load.run(20);
        assertThat(made).hasSize(1);
    }

    @Test
    void aDeviceThatIsDeadLeavesWhatItAnsweredInOrder() throws Exception {
        begin(NOTHING, SPLIT | Feature.EVENT_IDX, DEADLINE);
        TestLoad load = new TestLoad(guest, 8, 16, 4, false);
        load.run(100);
        inner.order = TestDevice.Order.NEVER;
        load.more(9);
        while (inner.taken.get() < 109) {
            Thread.sleep(1);
        }
        leave(false);
        load.await();
        load.run(100);
        assertThat(made.getFirst().taken).hasValueGreaterThanOrEqualTo(109);
    }

    @ParameterizedTest
    @MethodSource("unreadable")
    void whereTheRingDoesNotTellTheDriverHasToReset(long features, TestDevice.Order order) throws Exception {
        begin(NOTHING.isEmpty() && Feature.has(features, Feature.RING_PACKED) ? ALL : NOTHING, features, DEADLINE);
        inner.order = order;
        TestLoad load = new TestLoad(guest, 9, 16, 4, false);
        load.run(200);
        leave(false);
        assertThat(relay.status() & DeviceStatus.DEVICE_NEEDS_RESET).isNotZero();
        assertThat(told.getFirst()).contains("queue 0");
        relay.reset();
        assertThat(relay.status()).isZero();
        // The device itself is back, and serves.
        guest.start(features);
        new TestLoad(guest, 10, 8, 4, false).run(20);
        assertThat(made.getFirst().taken).hasValue(0);
    }

    private static Stream<Arguments> unreadable() {
        return Stream.of(
                Arguments.of(SPLIT, TestDevice.Order.RANDOM),
                Arguments.of(PACKED, TestDevice.Order.FIRST_IN_FIRST_OUT));
    }

    @Test
    void aResetFindsTheDeviceAgainOrStaysWithTheSubstitute() throws Exception {
        begin(ALL, SPLIT, DEADLINE);
        leave(true);
        inner.needsResetAfterReset = true;
        relay.reset();
        guest.start(SPLIT);
        new TestLoad(guest, 11, 8, 4, false).run(20);
        assertThat(made.getFirst().taken.get()).isPositive();
        assertThat(inner.taken).hasValue(0);
        inner.needsResetAfterReset = false;
        int before = made.getFirst().taken.get();
        relay.reset();
        guest.start(SPLIT);
        new TestLoad(guest, 12, 8, 4, false).run(20);
        assertThat(made.getFirst().taken).hasValue(before);
        assertThat(inner.taken.get()).isPositive();
        // And may go once more.
        leave(true);
        new TestLoad(guest, 13, 8, 4, false).run(20);
        assertThat(made).hasSize(2);
    }

    @Test
    void whereNothingTakesItsPlaceTheDriverHasToReset() throws Exception {
        begin(ALL, SPLIT, DEADLINE);
        refusal = new IOException("disk.img is not there");
        leave(true);
        assertThat(told).containsExactly("the card is pulled; nothing took its place: disk.img is not there");
        assertThat(relay.status() & DeviceStatus.DEVICE_NEEDS_RESET).isNotZero();
    }

    @Test
    void aSuspendedDeviceIsReplacedWhereItStands() throws Exception {
        begin(ONLY_SUSPEND, SPLIT, DEADLINE);
        TestLoad load = new TestLoad(guest, 14, 8, 4, false);
        load.run(30);
        relay.suspend();
        load.more(5);
        leave(true);
        assertThat(made.getFirst().taken).hasValue(0);
        relay.resume();
        load.await();
        assertThat(made.getFirst().taken).hasValue(5);
    }

    @Test
    void theDriverIsOfferedWhatBothHave() throws Exception {
        begin(ALL, SPLIT, DEADLINE);
        assertThat(relay.deviceFeatures()).isEqualTo(TestDevice.FEATURES & ~Feature.IN_ORDER);
    }

    @Test
    void theConfigurationChangesWithTheDevice() throws Exception {
        begin(ALL, SPLIT, DEADLINE);
        int before = relay.configGeneration();
        leave(true);
        assertThat(relay.configGeneration()).isEqualTo(before + 1);
        MemorySegment config = MemorySegment.ofArray(new byte[relay.configByteCount()]);
        relay.readConfig(0, config);
    }
}
