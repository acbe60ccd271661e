package io.fairlead.vhostuser.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The back-end against our own front-end and a real disk: every call of the contract goes over a socket and back. */
@Timeout(120)
class VhostUserBackendTest {
    @TempDir
    Path folder;

    private static long features(boolean packed) {
        return Feature.VERSION_1
                | Feature.EVENT_IDX
                | BlkConfig.F_FLUSH
                | BlkConfig.F_CONFIG_WCE
                | (packed ? Feature.RING_PACKED : 0);
    }

    private static BlkGuest guest(OtherDaemon daemon, boolean packed) throws IOException {
        return new BlkGuest(daemon.content, features(packed), 3);
    }

    @Test
    void saysWhatTheDaemonIs() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder)) {
            VhostUserBackend device = daemon.device;
            assertThat(device.deviceFeatures()).isEqualTo(daemon.disk.deviceFeatures());
            assertThat(device.queueCount()).isEqualTo(2);
            assertThat(device.configByteCount()).isEqualTo(BlkConfig.BYTES);
            assertThat(device.capabilities())
                    .containsExactlyInAnyOrder(
                            Capability.SUSPEND,
                            Capability.RESUME,
                            Capability.QUEUE_STOP,
                            Capability.QUEUE_STATE,
                            Capability.STREAM_STATE,
                            Capability.DIRTY_LOG);
            MemorySegment config = MemorySegment.ofArray(new byte[BlkConfig.BYTES]);
            device.readConfig(0, config);
            assertThat(BlkConfig.CAPACITY_SECTORS.read(config)).isEqualTo(OtherDaemon.DISK_BYTES / 512);
            assertThatThrownBy(() -> device.readConfig(BlkConfig.BYTES, config.asSlice(0, 1)))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> device.driverFeatures(1L << 50)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> device.stopMode(VdpaDevice.StopMode.FREEZE))
                    .isInstanceOf(UnsupportedOperationException.class);
            assertThatThrownBy(() -> device.carryOver(
                            0, new InflightRequests.Split(List.of(1)), CompletableFuture.completedStage(null)))
                    .isInstanceOf(UnsupportedOperationException.class);
            assertThatThrownBy(() -> device.queueSize(2, 4)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    /** Bits of vhost itself are no driver's: the daemon's log stays. */
    @Test
    void offersOnlyTheFeaturesAskedFor() throws Exception {
        long asked = Feature.VERSION_1 | BlkConfig.F_FLUSH | BlkConfig.F_SIZE_MAX;
        try (OtherDaemon daemon = new OtherDaemon(folder, asked)) {
            VhostUserBackend device = daemon.device;
            assertThat(device.deviceFeatures()).isEqualTo(Feature.VERSION_1 | BlkConfig.F_FLUSH);
            assertThat(device.capabilities()).contains(Capability.DIRTY_LOG);
            assertThat(device.configByteCount()).isEqualTo(BlkConfig.BYTES);
            assertThatThrownBy(() -> device.driverFeatures(Feature.VERSION_1 | Feature.EVENT_IDX))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void servesStopsTellsWhereItStandsAndGoesOn(boolean packed) throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, packed)) {
            guest.start(daemon.device);
            for (int round = 0; round < 20; round++) {
                guest.load(100, false);
                daemon.device.queueReady(0, false);
                assertThat(daemon.device.inflightRequests(0).isEmpty()).isTrue();
                // All that was offered and taken is answered; what was offered since waits.
                QueueState state = daemon.device.queueState(0);
                guest.poll();
                if (guest.underWay() == 0) {
                    assertThat(state).isEqualTo(guest.queue.state());
                }
                daemon.device.queueState(0, state);
                daemon.device.queueReady(0, true);
            }
            guest.drain();
            assertThat(daemon.device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anotherDeviceGoesOnWhereItStopped(boolean packed) throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, packed)) {
            guest.start(daemon.device);
            guest.load(150, true);
            daemon.device.queueReady(0, false);
            QueueState state = daemon.device.queueState(0);
            assertThat(state).isEqualTo(guest.queue.state());
            daemon.device.reset();
            // The ring in the guest's memory goes on at a device that never saw it.
            daemon.device.driverFeatures(features(packed));
            guest.settle(daemon.device);
            daemon.device.queueState(0, state);
            daemon.device.queueReady(0, true);
            guest.load(150, true);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void suspendsAndResumesUnderLoad(boolean packed) throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, packed)) {
            guest.start(daemon.device);
            for (int round = 0; round < 10; round++) {
                guest.load(40, false);
                daemon.device.suspend();
                QueueState state = daemon.device.queueState(0);
                while (guest.underWay() < BlkGuest.SLOTS) {
                    guest.submit();
                }
                guest.publish();
                assertThat(daemon.device.queueState(0)).isEqualTo(state);
                daemon.device.resume();
            }
            guest.drain();
        }
    }

    @Test
    void aResetForgetsTheDriverAndKeepsWhatTheFrontEndGave() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, false)) {
            guest.start(daemon.device);
            guest.load(20, false);
            daemon.device.reset();
            assertThat(daemon.device.status()).isZero();
            assertThat(daemon.device.driverFeatures()).isZero();
            assertThat(daemon.device.queueReady(0)).isFalse();
            guest.drain();
            guest.start(daemon.device);
            guest.load(200, true);
            assertThatThrownBy(() -> daemon.device.queueSize(0, 8)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> daemon.device.queueState(0)).isInstanceOf(IllegalStateException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void memoryComesAndGoesUnderLoad(boolean packed) throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, packed)) {
            guest.start(daemon.device);
            for (int round = 0; round < 10; round++) {
                guest.load(20, false);
                MemoryRegion more = MemoryRegion.map(Memfd.create("more", 1 << 16), 0, 1L << 33, 0x1000, 1 << 16);
                MemoryTable larger = guest.table.plus(more);
                more.release();
                daemon.device.memory(larger);
                larger.release();
                guest.load(20, false);
                daemon.device.memory(guest.table);
                // The same memory, mapped anew: nothing to tell.
                MemoryRegion again =
                        MemoryRegion.map(guest.memoryFd.duplicate(), 0, BlkGuest.BASE, 0x9000, BlkGuest.MEMORY_BYTES);
                MemoryTable same = new MemoryTable(List.of(again));
                again.release();
                daemon.device.memory(same);
                same.release();
            }
            guest.drain();
            assertThat(daemon.device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isZero();
        }
    }

    @Test
    void aRingOutsideTheMemoryIsTheGuestsFault() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, false)) {
            guest.start(daemon.device);
            guest.load(20, true);
            MemoryTable none = new MemoryTable(List.of());
            daemon.device.memory(none);
            none.release();
            assertThat(daemon.device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isNotZero();
            assertThat(daemon.told).anyMatch(reason -> reason.contains("outside the guest's memory"));
            daemon.device.reset();
            guest.start(daemon.device);
            guest.load(20, true);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theDaemonLogsWhileALogIsThere(boolean packed) throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, packed);
                SharedDirtyLog log = SharedDirtyLog.create("test", BlkGuest.BASE + BlkGuest.MEMORY_BYTES);
                SharedDirtyLog small = SharedDirtyLog.create("small", BlkGuest.BASE)) {
            guest.start(daemon.device);
            guest.load(20, true);
            assertThatThrownBy(() -> daemon.device.dirtyLog(small))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("has room for addresses below 0x40000000");
            daemon.device.dirtyLog(log);
            guest.submit(false, 7);
            guest.publish();
            guest.drain();
            long ring = packed ? guest.rings.descriptorAddress() : guest.rings.deviceAddress();
            assertThat(log.isMarked(ring)).as("ring").isTrue();
            assertThat(marked(log)).as("data, status, ring").isBetween(3, 4);
            assertThat(daemon.device.statistics().markedPages())
                    .as("not known here")
                    .isEmpty();

            daemon.device.dirtyLog(null);
            log.clear();
            guest.load(50, true);
            assertThat(marked(log)).isZero();

            // A queue that starts while a log is there logs, too.
            daemon.device.queueReady(0, false);
            daemon.device.dirtyLog(log);
            daemon.device.queueReady(0, true);
            guest.submit(false, 9);
            guest.publish();
            guest.drain();
            assertThat(marked(log)).isBetween(3, 4);
            daemon.device.reset();
            log.clear();
            guest.start(daemon.device);
            guest.load(20, true);
            assertThat(marked(log)).as("a reset ends the log").isZero();
        }
    }

    private static int marked(SharedDirtyLog log) {
        int count = 0;
        for (long page = BlkGuest.BASE;
                page < BlkGuest.BASE + BlkGuest.MEMORY_BYTES;
                page += SharedDirtyLog.PAGE_BYTES) {
            count += log.isMarked(page) ? 1 : 0;
        }
        return count;
    }

    @Test
    void aMaskedLogIsNotOffered() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder)) {
            daemon.device.close();
            try (VhostUserBackend masked = VhostUserBackend.connect(
                            "masked", daemon.settings().withDirtyLog(false), daemon.loops.next());
                    SharedDirtyLog log = SharedDirtyLog.create("test", 1 << 20)) {
                assertThat(masked.capabilities()).doesNotContain(Capability.DIRTY_LOG);
                assertThat(masked.statistics().markedPages()).hasValue(0);
                assertThatThrownBy(() -> masked.dirtyLog(log)).isInstanceOf(UnsupportedOperationException.class);
            }
        }
    }

    @Test
    void configurationGoesBothWays() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, false)) {
            guest.start(daemon.device);
            byte[] written = new byte[BlkConfig.BYTES];
            // All of it is written; only the cache mode may change, and it does.
            daemon.device.writeConfig(0, MemorySegment.ofArray(written));
            MemorySegment config = MemorySegment.ofArray(new byte[BlkConfig.BYTES]);
            daemon.disk.readConfig(0, config);
            assertThat(BlkConfig.WRITEBACK.read(config)).isZero();
            assertThat(BlkConfig.CAPACITY_SECTORS.read(config)).isEqualTo(OtherDaemon.DISK_BYTES / 512);

            int generation = daemon.device.configGeneration();
            daemon.disk.resize(2 * OtherDaemon.DISK_BYTES);
            OtherDaemon.eventually().until(() -> daemon.told.contains("config"));
            assertThat(daemon.device.configGeneration()).isNotEqualTo(generation);
            daemon.device.readConfig(0, config);
            assertThat(BlkConfig.CAPACITY_SECTORS.read(config)).isEqualTo(2 * OtherDaemon.DISK_BYTES / 512);
            daemon.disk.resize(OtherDaemon.DISK_BYTES);
            try (RandomAccessFile file = new RandomAccessFile(daemon.image.toFile(), "rw")) {
                file.setLength(OtherDaemon.DISK_BYTES);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aDaemonThatComesBackGoesOnUnderLoad(boolean packed) throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, packed);
                SharedDirtyLog log = SharedDirtyLog.create("test", BlkGuest.BASE + BlkGuest.MEMORY_BYTES)) {
            guest.start(daemon.device);
            for (int round = 0; round < 5; round++) {
                guest.load(50, false);
                while (guest.underWay() < BlkGuest.SLOTS) {
                    guest.submit();
                }
                guest.publish();
                daemon.restart();
                guest.load(50, false);
            }
            guest.drain();
            assertThat(daemon.device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isZero();
            assertThat(daemon.told).isEmpty();
            // What a daemon marked last is not known when it goes: all is taken as written.
            daemon.device.dirtyLog(log);
            log.clear();
            daemon.restart();
            OtherDaemon.eventually().until(() -> marked(log) == BlkGuest.MEMORY_BYTES / 4096);
            OtherDaemon.eventually().until(daemon.device::isConnected);
            log.clear();
            guest.submit(false, 1);
            guest.publish();
            guest.drain();
            assertThat(marked(log)).as("the new daemon logs").isBetween(3, 4);
            daemon.device.dirtyLog(null);
        }
    }

    @Test
    void withoutTheDaemonTheContractHoldsAndItIsToldLater() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, false)) {
            daemon.endpoint.close();
            OtherDaemon.eventually().until(() -> !daemon.device.isConnected());
            assertThat(Files.exists(daemon.socket)).isFalse();
            MemorySegment config = MemorySegment.ofArray(new byte[BlkConfig.BYTES]);
            daemon.device.readConfig(0, config);
            assertThat(BlkConfig.CAPACITY_SECTORS.read(config)).isEqualTo(OtherDaemon.DISK_BYTES / 512);
            guest.start(daemon.device);
            daemon.device.reset();
            guest.start(daemon.device);
            guest.submit(false, 1);
            guest.publish();
            daemon.endpoint = daemon.server.serve(daemon.disk, daemon.socket);
            guest.drain();
            guest.load(100, true);
            assertThat(daemon.told).isEmpty();
        }
    }

    @Test
    void aStopWhileTheDaemonIsAwayTellsOfWhatWasUnderWay() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, false)) {
            guest.start(daemon.device);
            guest.load(30, true);
            daemon.endpoint.close();
            OtherDaemon.eventually().until(() -> !daemon.device.isConnected());
            daemon.device.queueReady(0, false);
            assertThat(daemon.device.queueState(0)).isEqualTo(guest.queue.state());
            daemon.device.queueReady(0, true);
            assertThat(daemon.told).isEmpty();
            daemon.endpoint = daemon.server.serve(daemon.disk, daemon.socket);
            guest.load(30, true);
        }
    }

    @Test
    void kickAndCallChangeWhileAQueueRuns() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, false)) {
            guest.start(daemon.device);
            for (int round = 0; round < 10; round++) {
                guest.load(20, true);
                guest.kick.close();
                guest.call.close();
                guest.kick = EventFd.create("kick");
                guest.call = EventFd.create("call");
                daemon.device.queueKick(0, EventFd.adopt(guest.kick.fd().duplicate()));
                daemon.device.queueCall(0, EventFd.adopt(guest.call.fd().duplicate()));
            }
            guest.load(20, true);
        }
    }

    @Test
    void twoQueuesAreServedAndStoppedApart() throws Exception {
        try (OtherDaemon daemon = new OtherDaemon(folder);
                BlkGuest guest = guest(daemon, false);
                BlkGuest other = new BlkGuest(daemon.content, features(false), 4)) {
            guest.start(daemon.device);
            // The second guest's rings lie in memory of the first one's table, behind its own.
            MemoryRegion second = MemoryRegion.map(other.memoryFd.duplicate(), 0, 1L << 32, 0, BlkGuest.MEMORY_BYTES);
            MemoryTable both = guest.table.plus(second);
            second.release();
            daemon.device.memory(both);
            both.release();
            long offset = (1L << 32) - BlkGuest.BASE;
            daemon.device.queueSize(1, BlkGuest.QUEUE_SIZE);
            daemon.device.queueAddresses(
                    1,
                    other.rings.descriptorAddress() + offset,
                    other.rings.driverAddress() + offset,
                    other.rings.deviceAddress() + offset);
            daemon.device.queueReady(1, true);
            guest.load(50, false);
            daemon.device.queueReady(1, false);
            assertThat(daemon.device.queueState(1)).isEqualTo(new QueueState.Split(0, 0));
            DriverQueue untouched = other.queue;
            assertThat(untouched.outstanding()).isZero();
            guest.load(50, true);
        }
    }
}
