package io.fairlead.devices.base;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SoftwareDeviceTest {
    private static final int SIZE = 16;
    private static final Duration POLL_INTERVAL = Duration.ofMillis(1);
    private static final long FEATURES = Feature.VERSION_1 | Feature.EVENT_IDX;

    private EventLoopGroup loops;
    private TwoRoles device;
    private Guest guest;
    private final List<String> resets = new CopyOnWriteArrayList<>();
    private long data;

    @BeforeEach
    void make() throws IOException {
        loops = new EventLoopGroup(2);
        device = new TwoRoles(loops);
        device.listener(new DeviceListener() {
            @Override
            public void configChanged() {}

            @Override
            public void needsReset(String reason) {
                resets.add(reason);
            }
        });
        guest = new Guest(device, 1 << 20, SIZE, 0);
        data = guest.dataOffset();
    }

    @AfterEach
    void close() throws IOException {
        device.answerHeld = true;
        device.close();
        device.close();
        assertThat(device.releases).isEqualTo(1);
        guest.close();
        loops.close();
    }

    /** One readable and one writable byte. */
    private void submit(int queue, int slot, int value) {
        guest.memory().set(ValueLayout.JAVA_BYTE, data + 2L * slot, (byte) value);
        guest.memory().set(ValueLayout.JAVA_BYTE, data + 2L * slot + 1, (byte) 0);
        long address = Guest.BASE + data + 2L * slot;
        guest.queue(queue).add(new long[] {address, address + 1}, new int[] {1, 1}, 1, 1, slot);
        guest.publish(queue);
    }

    private int answer(int queue) {
        DriverQueue driver = guest.queue(queue);
        await().pollInterval(POLL_INTERVAL).atMost(20, SECONDS).until(driver::poll);
        return TwoRoles.byteAt(guest, data + 2 * driver.token() + 1);
    }

    @Test
    void servesQueuesOfDifferentRoles() throws IOException {
        guest.start(FEATURES);
        submit(0, 0, 5);
        assertThat(answer(0)).isEqualTo(6);
        submit(1, 1, 0);
        submit(1, 2, 0);
        device.event(77);
        assertThat(answer(1)).isEqualTo(77);
        // The second event buffer was never taken: nothing is in flight and a stop does not wait for an event.
        device.queueReady(1, false);
        assertThat(device.queueState(1)).isEqualTo(new QueueState.Split(1, 1));
        device.queueState(1, device.queueState(1));
        device.queueReady(1, true);
        device.event(78);
        assertThat(answer(1)).isEqualTo(78);
    }

    @Test
    void checksFeaturesAndStatus() throws IOException {
        assertThatThrownBy(() -> device.driverFeatures(1L << 50)).isInstanceOf(IllegalArgumentException.class);
        device.driverFeatures(Feature.EVENT_IDX);
        device.status(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK);
        assertThat(device.status()).as("without VERSION_1").isEqualTo(3);
        device.driverFeatures(FEATURES);
        device.status(3 | DeviceStatus.FEATURES_OK);
        assertThat(device.status()).isEqualTo(11);
        device.status(11 | DeviceStatus.DEVICE_NEEDS_RESET);
        assertThat(device.status()).isEqualTo(11);
        device.status(0);
        assertThat(device.status()).isZero();
        assertThat(device.driverFeatures()).isZero();
        assertThat(device.driverResets).isEqualTo(1);
        assertThat(device.capabilities()).contains(VdpaDevice.Capability.DIRTY_LOG, VdpaDevice.Capability.INFLIGHT);
    }

    @Test
    void refusesChangesOfAReadyQueue() throws IOException {
        guest.start(FEATURES);
        assertThatThrownBy(() -> device.queueSize(0, 8)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> device.queueAddresses(0, 0, 0, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> device.queueState(0, QueueState.initial(false)))
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> device.queueState(0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> device.queueInflight(0, null)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> device.driverFeatures(0)).isInstanceOf(IllegalStateException.class);
        device.driverFeatures(FEATURES);
        assertThatThrownBy(() -> device.queueSize(2, 8)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> device.queueSize(0, 65)).isInstanceOf(IllegalArgumentException.class);
        device.queueReady(0, false);
        device.queueState(0, QueueState.initial(true));
        assertThatThrownBy(() -> device.queueReady(0, true)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void kickAndCallCanBeReplacedWhileRunning() throws IOException {
        guest.start(FEATURES);
        submit(0, 0, 1);
        assertThat(answer(0)).isEqualTo(2);
        EventFd kick = EventFd.create("other kick");
        EventFd call = EventFd.create("other call");
        try (kick;
                call) {
            device.queueKick(0, EventFd.adopt(kick.fd().duplicate()));
            device.queueCall(0, EventFd.adopt(call.fd().duplicate()));
            guest.queue(0).enableInterrupts();
            guest.call(0).drain();
            submit(0, 0, 3);
            kick.signal();
            await().pollInterval(POLL_INTERVAL).atMost(20, SECONDS).until(call::drain);
            assertThat(answer(0)).isEqualTo(4);
            assertThat(guest.call(0).drain()).isFalse();
            // Without a kick the device looks by itself.
            device.queueKick(0, null);
            device.queueCall(0, null);
            submit(0, 0, 5);
            assertThat(answer(0)).isEqualTo(6);
        }
    }

    @Test
    void aGuestFaultStopsTheDeviceUntilItsReset() throws IOException {
        guest.start(FEATURES);
        submit(0, 0, 100);
        guest.queue(0).add(new long[] {Guest.BASE + data}, new int[] {1}, 0, 1, 9);
        guest.publish(0);
        await().pollInterval(POLL_INTERVAL).atMost(20, SECONDS).until(() -> !resets.isEmpty());
        assertThat(device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isNotZero();
        assertThat(resets).singleElement().asString().contains("nothing to read");
        assertThat(device.statistics().total().guestFaults()).isEqualTo(1);
        submit(1, 1, 0);
        device.event(7);
        device.answerHeld();
        device.reset();
        assertThat(guest.queue(1).hasUsed()).as("the other queue went on").isFalse();
        device.events.clear();
        assertThat(device.status()).isZero();
        guest.start(FEATURES);
        submit(0, 0, 1);
        assertThat(answer(0)).isEqualTo(2);
    }

    @Test
    void anErrorOfTheCodeStopsTheDeviceAlone() throws IOException {
        try (TwoRoles other = new TwoRoles(loops);
                Guest otherGuest = new Guest(other, 1 << 20, SIZE, 0)) {
            otherGuest.start(FEATURES);
            guest.start(FEATURES);
            device.throwError = true;
            submit(0, 0, 1);
            await().pollInterval(POLL_INTERVAL).atMost(20, SECONDS).until(() -> !resets.isEmpty());
            assertThat(resets).singleElement().asString().contains("broken on purpose");
            Guest own = guest;
            guest = otherGuest;
            submit(0, 0, 1);
            assertThat(answer(0)).isEqualTo(2);
            guest = own;
            // Stopped before its guest's memory goes.
            other.reset();
        }
    }

    @Test
    void ringsOutsideTheMemoryAreAGuestFault() throws IOException {
        device.driverFeatures(FEATURES);
        guest.prepareQueue(0, FEATURES);
        device.queueAddresses(0, 0x1000, 0x2000, 0x3000);
        device.queueReady(0, true);
        assertThat(device.queueReady(0)).isTrue();
        assertThat(resets).hasSize(1);
        assertThat(device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isNotZero();
        device.queueReady(0, false);
        assertThat(device.queueState(0)).isEqualTo(QueueState.initial(false));
    }

    @Test
    void aTruncatedGuestMemoryStopsTheDeviceAlone() throws IOException {
        try (TwoRoles other = new TwoRoles(loops);
                Guest otherGuest = new Guest(other, 1 << 20, SIZE, 0)) {
            otherGuest.start(FEATURES);
            guest.start(FEATURES);
            submit(0, 0, 1);
            assertThat(answer(0)).isEqualTo(2);
            assertThat(io.fairlead.linux.FileIo.ftruncate(guest.memoryFd().raw(), 0))
                    .isZero();
            guest.kick(0);
            await().pollInterval(POLL_INTERVAL).atMost(20, SECONDS).until(() -> !resets.isEmpty());
            Guest own = guest;
            guest = otherGuest;
            for (int i = 0; i < 10; i++) {
                submit(0, 0, i);
                assertThat(answer(0)).isEqualTo(i + 1);
            }
            guest = own;
            device.reset();
            other.reset();
        }
    }

    @Test
    void suspendKeepsTheQueuesAndResumeGoesOn() throws IOException, DeviceFaultException {
        guest.start(FEATURES);
        for (int i = 0; i < 20; i++) {
            submit(0, 0, i);
            assertThat(answer(0)).isEqualTo(i + 1);
            device.suspend();
            device.suspend();
            assertThat(device.queueReady(0)).isTrue();
            assertThat(device.queueState(0)).isEqualTo(new QueueState.Split(2 * i + 1, 2 * i + 1));
            submit(0, 1, 60);
            assertThat(guest.queue(0).poll()).isFalse();
            device.resume();
            assertThat(answer(0)).isEqualTo(61);
        }
    }

    @Test
    void requestsInFlightKeepTheOldMemory() throws IOException {
        guest.start(FEATURES);
        submit(0, 0, 100);
        await().pollInterval(POLL_INTERVAL).atMost(20, SECONDS).until(() -> device.requests.inFlight() == 1);
        guest.swapMemory();
        submit(0, 1, 7);
        assertThat(answer(0)).isEqualTo(8);
        device.answerHeld();
        assertThat(answer(0)).isEqualTo(101);
        assertThat(resets).isEmpty();
    }

    @Test
    void marksWhatItWrites() throws IOException {
        guest.start(FEATURES);
        submit(0, 0, 1);
        assertThat(answer(0)).isEqualTo(2);
        long written = Guest.BASE + data + 1;
        try (SharedDirtyLog log = SharedDirtyLog.create("test", written + 1)) {
            device.dirtyLog(log);
            assertThat(log.isMarked(written)).isFalse();
            submit(0, 0, 1);
            assertThat(answer(0)).isEqualTo(2);
            assertThat(log.isMarked(written)).isTrue();
            device.reset();
            log.clear();
            guest.start(FEATURES);
            submit(0, 0, 1);
            assertThat(answer(0)).isEqualTo(2);
            assertThat(log.isMarked(written)).as("the log is not the driver's").isTrue();
            device.dirtyLog(null);
            log.clear();
            submit(0, 0, 1);
            assertThat(answer(0)).isEqualTo(2);
            assertThat(log.isMarked(written)).isFalse();
        }
    }
}
