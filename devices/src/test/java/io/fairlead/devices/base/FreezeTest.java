package io.fairlead.devices.base;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice.StopMode;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.InflightRegion;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Queues that stop without waiting, and what becomes of the requests that they leave. */
class FreezeTest {
    private static final int SIZE = 16;
    private static final long FEATURES = Feature.VERSION_1 | Feature.EVENT_IDX;
    private static final InflightRequests ONE = new InflightRequests.Split(List.of(0));

    private final HeldRequests.Host host = new HeldRequests.Host();
    private final Arena arena = Arena.ofShared();
    private final CompletableFuture<Void> gate = new CompletableFuture<>();
    private EventLoopGroup loops;
    private HeldRequests device;
    private HeldRequests other;
    private Guest guest;
    private MemorySegment region;

    @BeforeEach
    void make() throws IOException {
        loops = new EventLoopGroup(2);
        device = new HeldRequests("one", host, loops);
        other = new HeldRequests("other", host, loops);
        guest = new Guest(device, 1 << 20, SIZE, 0);
        guest.attach(other);
        region = region();
        device.driverFeatures(FEATURES);
        other.driverFeatures(FEATURES);
        guest.prepareQueue(0, FEATURES);
        device.queueInflight(0, region);
        device.queueReady(0, true);
    }

    @AfterEach
    void close() throws IOException {
        host.working().forEach(host::end);
        device.close();
        other.close();
        guest.close();
        loops.close();
        arena.close();
        assertThat(host.faults).isEmpty();
    }

    private MemorySegment region() {
        return arena.allocate(InflightRegion.byteCount(SIZE, false), 64);
    }

    private void submit(int number) {
        long offset = guest.dataOffset() + 16L * number;
        guest.memory().set(ValueLayout.JAVA_INT, offset, number);
        guest.memory().set(ValueLayout.JAVA_INT, offset + 8, 0);
        long address = Guest.BASE + offset;
        guest.queue(0).add(new long[] {address, address + 8}, new int[] {4, 4}, 1, 1, number);
        guest.publish(0);
    }

    private void awaitWorking(int... numbers) {
        for (int number : numbers) {
            await().pollInterval(Duration.ofMillis(1))
                    .atMost(20, SECONDS)
                    .until(() -> host.working().contains(number));
        }
    }

    private void awaitAnswer(int number) {
        await().pollInterval(Duration.ofMillis(1)).atMost(20, SECONDS).until(guest.queue(0)::poll);
        assertThat(guest.queue(0).token()).isEqualTo(number);
        assertThat(HeldRequests.intAt(guest, guest.dataOffset() + 16L * number + 8))
                .isEqualTo(number + 1);
    }

    private void freeze(HeldRequests frozen) throws IOException {
        frozen.stopMode(StopMode.FREEZE);
        frozen.queueReady(0, false);
    }

    /** One request is in flight in the frozen device. */
    private void freezeOne() throws IOException {
        submit(1);
        awaitWorking(1);
        freeze(device);
    }

    private void startOther(InflightRequests requests, CompletableFuture<Void> settled, MemorySegment memory)
            throws IOException {
        other.queueState(0, device.queueState(0));
        other.carryOver(0, requests, settled);
        other.queueInflight(0, memory);
        guest.connect(other, 0);
        other.queueReady(0, true);
    }

    private static boolean needsReset(HeldRequests device) {
        return DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET);
    }

    @Test
    void aDrainThatTakesTooLongLeavesTheRestAndTheQueueGoesOnWithIt() throws IOException {
        submit(1);
        submit(2);
        awaitWorking(1, 2);
        host.end(1);
        device.drainPatience(Duration.ofMillis(50));
        device.stopMode(StopMode.DRAIN_THEN_FREEZE);
        device.queueReady(0, false);
        awaitAnswer(1);
        assertThat(device.inflightRequests(0).count()).isEqualTo(1);
        assertThat(device.settled().toCompletableFuture()).isNotDone();
        device.stopMode(StopMode.DRAIN);
        device.queueReady(0, true);
        host.end(2);
        awaitWorking(2);
        host.end(2);
        awaitAnswer(2);
    }

    @Test
    void aDrainThatIsPatientLeavesNothing() throws Exception {
        submit(1);
        awaitWorking(1);
        device.stopMode(StopMode.DRAIN_THEN_FREEZE);
        Thread host = Thread.ofVirtual().start(() -> this.host.end(1));
        device.queueReady(0, false);
        host.join();
        assertThat(device.inflightRequests(0).isEmpty()).isTrue();
        assertThat(device.queueState(0)).isEqualTo(new QueueState.Split(1, 1));
        awaitAnswer(1);
    }

    @Test
    void publishesWhatIsCompleteAndLeavesTheRest() throws IOException {
        submit(1);
        submit(2);
        awaitWorking(1, 2);
        host.end(1);
        freeze(device);
        awaitAnswer(1);
        assertThat(device.queueState(0)).isEqualTo(new QueueState.Split(2, 1));
        assertThat(device.inflightRequests(0).count()).isEqualTo(1);
        assertThat(device.inflightRequests(0)).isEqualTo(left(region, device.queueState(0)));
        assertThat(device.settled().toCompletableFuture()).isNotDone();
        host.end(2);
        device.settled().toCompletableFuture().join();
        assertThat(guest.queue(0).hasUsed()).as("thrown away").isFalse();
        assertThat(device.statistics().total().signals()).isLessThanOrEqualTo(2);
    }

    private static InflightRequests left(MemorySegment region, QueueState state) {
        try {
            return InflightRegion.read(region, SIZE, state);
        } catch (GuestFaultException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void settledWaitsForTheLastStepAndTellsItsFailure() throws IOException {
        device.lastStep = new CompletableFuture<>();
        freezeOne();
        host.end(1);
        CompletableFuture<Void> settled = device.settled().toCompletableFuture();
        device.queueReady(0, true);
        awaitWorking(1);
        assertThat(settled)
                .as("the queue itself did not wait for the last step")
                .isNotDone();
        device.lastStep.completeExceptionally(new IOException("lost"));
        assertThatThrownBy(settled::join).hasRootCauseMessage("lost");
        device.lastStep = CompletableFuture.completedFuture(null);
    }

    @Test
    void withoutMemoryItDrains() throws IOException {
        device.queueReady(0, false);
        device.queueInflight(0, null);
        device.queueReady(0, true);
        submit(1);
        awaitWorking(1);
        CompletableFuture<Void> stopped = CompletableFuture.runAsync(() -> {
            try {
                freeze(device);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        host.end(1);
        stopped.join();
        awaitAnswer(1);
        assertThat(device.queueState(0)).isEqualTo(new QueueState.Split(1, 1));
        assertThat(device.inflightRequests(0).isEmpty()).isTrue();
        assertThat(device.settled().toCompletableFuture()).isDone();
    }

    @Test
    void guestMemoryStaysUntilTheHostHasEnded() throws IOException {
        long mappings = Mapping.openCount();
        freezeOne();
        guest.swapMemory();
        assertThat(Mapping.openCount()).as("old and new").isEqualTo(mappings + 1);
        host.end(1);
        device.settled().toCompletableFuture().join();
        await().atMost(20, SECONDS).until(() -> Mapping.openCount() <= mappings);
    }

    @Test
    void aResetWaitsForTheHost() throws IOException {
        freezeOne();
        CompletableFuture<List<Integer>> afterReset = CompletableFuture.supplyAsync(() -> {
            try {
                device.reset();
                return host.working();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        // Time for a reset that does not wait.
        LockSupport.parkNanos(20_000_000);
        host.end(1);
        assertThat(afterReset.join()).isEmpty();
        assertThat(device.inflightRequests(0).isEmpty()).isTrue();
        // The mode is forgotten, too: this stop drains.
        guest.start(FEATURES);
        device.queueReady(0, false);
        assertThat(device.settled().toCompletableFuture()).isDone();
    }

    @Test
    void aRestartWaitsForNothingButTheRequestsThatAreTakenUp() throws IOException {
        freezeOne();
        QueueState state = device.queueState(0);
        device.restart();
        assertThat(host.working()).as("the host still works on it").containsExactly(1);
        assertThat(device.driverFeatures()).isZero();
        device.driverFeatures(FEATURES);
        device.queueState(0, state);
        device.queueInflight(0, region);
        guest.connect(device, 0);
        device.queueReady(0, true);
        submit(2);
        awaitWorking(2);
        host.end(2);
        awaitAnswer(2);
        assertThat(host.begun.get()).as("not twice at a time").isEqualTo(2);
        host.end(1);
        await().atMost(20, SECONDS).until(() -> host.begun.get() == 3);
        awaitWorking(1);
        host.end(1);
        awaitAnswer(1);
    }

    @Test
    void ownRequestsAreForgottenWhereTheQueueGoesOnElsewhere() throws IOException {
        freezeOne();
        host.end(1);
        device.settled().toCompletableFuture().join();
        assertThat(device.inflightRequests(0)).isEqualTo(ONE);
        guest.prepareQueue(0, FEATURES);
        device.queueState(0, new QueueState.Split(0, 0));
        assertThat(device.inflightRequests(0).isEmpty()).isTrue();
        device.queueInflight(0, region());
        device.queueReady(0, true);
        submit(3);
        awaitWorking(3);
        host.end(3);
        awaitAnswer(3);
        assertThat(host.begun.get()).isEqualTo(2);
    }

    @Test
    void newRequestsDoNotWaitAndADrainDoes() throws IOException {
        freezeOne();
        host.end(1);
        device.settled().toCompletableFuture().join();
        startOther(device.inflightRequests(0), gate, region());
        submit(2);
        awaitWorking(2);
        assertThat(host.working()).containsExactly(2);
        host.end(2);
        awaitAnswer(2);
        CompletableFuture<Void> stopped = CompletableFuture.runAsync(() -> {
            try {
                other.queueReady(0, false);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        gate.complete(null);
        awaitWorking(1);
        host.end(1);
        stopped.join();
        awaitAnswer(1);
        assertThat(other.queueState(0)).isEqualTo(new QueueState.Split(2, 2));
    }

    @Test
    void whatIsHeldTravelsOnAndIsSettledWithTheFirst() throws IOException {
        freezeOne();
        host.end(1);
        InflightRequests left = device.inflightRequests(0);
        startOther(left, gate, region());
        freeze(other);
        assertThat(other.inflightRequests(0)).isEqualTo(left);
        assertThat(other.settled().toCompletableFuture()).isNotDone();
        gate.complete(null);
        other.settled().toCompletableFuture().join();
        assertThat(host.begun.get()).isEqualTo(1);
    }

    @Test
    void aDeviceThatNeverSettlesIsAFault() throws IOException {
        freezeOne();
        host.end(1);
        startOther(device.inflightRequests(0), gate, region());
        gate.completeExceptionally(new IOException("gone"));
        await().atMost(20, SECONDS).until(() -> needsReset(other));
        assertThat(host.begun.get()).isEqualTo(1);
        other.reset();
        assertThat(needsReset(other)).isFalse();
    }

    @Test
    void afterAResetNothingIsTakenBeforeTheOtherHasSettled() throws IOException {
        freezeOne();
        host.end(1);
        device.settled().toCompletableFuture().join();
        startOther(device.inflightRequests(0), gate, region());
        other.reset();
        assertThat(other.inflightRequests(0).isEmpty()).isTrue();
        other.driverFeatures(FEATURES);
        guest.prepareQueue(0, FEATURES);
        guest.connect(other, 0);
        other.queueReady(0, true);
        submit(2);
        // Whatever the queue would do at a wake-up, it has done when this returns.
        other.queueKick(0, null);
        other.memory(guest.table());
        assertThat(host.begun.get()).isEqualTo(1);
        gate.complete(null);
        awaitWorking(2);
        host.end(2);
        awaitAnswer(2);
        assertThat(host.begun.get()).isEqualTo(2);
    }

    @Test
    void closingDoesNotWaitForAnotherDevice() throws IOException {
        freezeOne();
        host.end(1);
        startOther(device.inflightRequests(0), gate, region());
        other.close();
        assertThat(gate).isNotDone();
        assertThat(host.begun.get()).isEqualTo(1);
    }

    @Test
    void refusesRequestsThatAreNotTheQueues() throws IOException {
        assertThatThrownBy(() -> device.carryOver(0, ONE, gate)).isInstanceOf(IllegalStateException.class);
        for (InflightRequests bad : List.of(
                new InflightRequests.Split(List.of(64)),
                new InflightRequests.Split(List.of(3, 3)),
                new InflightRequests.Packed(List.of(new InflightRequests.Chain(List.of()))))) {
            assertThatThrownBy(() -> other.carryOver(0, bad, gate))
                    .as("%s", bad)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("other: queue 0");
        }
        freezeOne();
        host.end(1);
        MemorySegment left = region().copyFrom(region);
        for (InflightRequests bad :
                List.of(new InflightRequests.Split(List.of(0, 2)), new InflightRequests.Split(List.of(5)))) {
            startOther(bad, CompletableFuture.completedFuture(null), left);
            assertThat(needsReset(other)).as("%s", bad).isTrue();
            other.reset();
            other.driverFeatures(FEATURES);
        }
        startOther(ONE, CompletableFuture.completedFuture(null), left);
        awaitWorking(1);
        host.end(1);
        awaitAnswer(1);
    }
}
