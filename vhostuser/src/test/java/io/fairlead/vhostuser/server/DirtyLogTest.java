package io.fairlead.vhostuser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The log of dirty pages as a client has it kept: on, off, switched and broken while rings run. */
@Timeout(120)
class DirtyLogTest {
    private static final long FEATURES = ServedDisk.FEATURES;
    private static final long GUEST_BYTES = TestClient.GUEST_BASE + TestClient.MEMORY_BYTES;
    private static final long PAGE_BYTES = 1L << SharedDirtyLog.PAGE_SHIFT;
    private static final byte[] NONE = {};

    @TempDir
    Path folder;

    private static void logBase(TestClient client, SharedDirtyLog log) throws IOException {
        byte[] reply = client.ask(Request.SET_LOG_BASE, TestClient.log(log.byteCount(), log.fdOffset()), log.fd());
        assertThat(reply).as("what also reads as success").isEqualTo(TestClient.u64(0));
    }

    private static void logAll(TestClient client, long features, boolean on) throws IOException {
        long all = features | Feature.VHOST_USER_PROTOCOL_FEATURES | (on ? Feature.VHOST_LOG_ALL : 0);
        assertThat(client.acknowledged(Request.SET_FEATURES, TestClient.u64(all)))
                .isZero();
    }

    private static void ringLog(TestClient client, DriverRings rings, boolean on) throws IOException {
        byte[] address = TestClient.address(0, rings, on ? 1 : 0, on ? rings.deviceAddress() : 0);
        assertThat(client.acknowledged(Request.SET_VRING_ADDR, address)).isZero();
    }

    private static Set<Long> marked(SharedDirtyLog log) {
        Set<Long> pages = new TreeSet<>();
        for (long address = 0; address < GUEST_BYTES; address += PAGE_BYTES) {
            if (log.isMarked(address)) {
                pages.add(address);
            }
        }
        return pages;
    }

    private static Long page(long address) {
        return address & -PAGE_BYTES;
    }

    /** What one read writes: the data, the status behind it, and the ring. */
    private static Set<Long> writtenByRead(DriverRings rings, boolean packed) {
        Set<Long> pages = new TreeSet<>(Set.of(page(ServedDisk.DATA), page(ServedDisk.STATUS)));
        pages.add(page(packed ? rings.descriptorAddress() : rings.deviceAddress()));
        pages.add(page(rings.deviceAddress()));
        return pages;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aLogThatComesWhileARingRunsHasWhatIsWrittenFromItsAcknowledgementOn(boolean packed) throws Exception {
        long features = packed ? FEATURES | Feature.RING_PACKED : FEATURES;
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect();
                SharedDirtyLog log = SharedDirtyLog.create("test", GUEST_BYTES)) {
            client.negotiate(features);
            DriverQueue queue = client.start(16, features, QueueState.initial(packed));
            DriverRings rings = client.rings(16, features);
            disks.checkRead(client, queue, 1);
            logBase(client, log);
            disks.checkRead(client, queue, 2);
            assertThat(marked(log)).as("a log alone").isEmpty();
            long mappings = Mapping.openCount();
            for (int round = 0; round < 5; round++) {
                if (round > 0) {
                    logBase(client, log);
                }
                logAll(client, features, true);
                ringLog(client, rings, true);
                assertThat(disks.disk.driverFeatures()).isEqualTo(features);
                disks.checkRead(client, queue, 3);
                assertThat(marked(log)).isSubsetOf(writtenByRead(rings, packed));
                assertThat(marked(log)).contains(page(ServedDisk.DATA), page(ServedDisk.STATUS));
                assertThat(marked(log)).contains(page(packed ? rings.descriptorAddress() : rings.deviceAddress()));
                log.clear();
                // What a write request reads is not dirty.
                assertThat(disks.request(client, queue, BlkRequest.OUT, 4)).isEqualTo(BlkRequest.STATUS_OK);
                assertThat(marked(log)).doesNotContain(page(ServedDisk.DATA));
                logAll(client, features, false);
                ringLog(client, rings, false);
                log.clear();
                disks.checkRead(client, queue, 5);
                assertThat(marked(log)).as("after it was switched off").isEmpty();
                assertThat(Mapping.openCount()).as("the log is let go").isEqualTo(mappings - 1);
            }
        }
    }

    @Test
    void aNewLogTakesTheOldOnesPlaceWhileRequestsRun() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect();
                SharedDirtyLog first = SharedDirtyLog.create("first", GUEST_BYTES);
                SharedDirtyLog second = SharedDirtyLog.create("second", 4 * GUEST_BYTES)) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            // The wish may come before the log.
            logAll(client, FEATURES, true);
            disks.checkRead(client, queue, 1);
            logBase(client, first);
            long mappings = Mapping.openCount();
            SharedDirtyLog current = first;
            for (int round = 0; round < 20; round++) {
                disks.checkRead(client, queue, round);
                assertThat(marked(current)).contains(page(ServedDisk.DATA));
                SharedDirtyLog next = current == first ? second : first;
                logBase(client, next);
                current.clear();
                disks.checkRead(client, queue, round);
                assertThat(marked(current)).as("the log that was replaced").isEmpty();
                assertThat(Mapping.openCount()).isEqualTo(mappings);
                current = next;
            }
        }
    }

    @Test
    void aLogThatIsTooSmallHoldsWhatItHasRoomForAndNothingBeyondIsTouched() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect();
                SharedDirtyLog log = SharedDirtyLog.create("test", GUEST_BYTES)) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            byte[] oneWord = TestClient.log(Long.BYTES, 0);
            assertThat(client.ask(Request.SET_LOG_BASE, oneWord, log.fd())).hasSize(8);
            logAll(client, FEATURES, true);
            disks.checkRead(client, queue, 1);
            logAll(client, FEATURES, false);
            assertThat(marked(log)).isEmpty();
            disks.checkRead(client, queue, 2);
        }
    }

    @Test
    void aLogWhoseFileIsCutShortHarmsThatDeviceAlone() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect();
                SharedDirtyLog log = SharedDirtyLog.create("test", GUEST_BYTES)) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            logBase(client, log);
            logAll(client, FEATURES, true);
            assertThat(FileIo.ftruncate(log.fd().raw(), 0)).isZero();
            disks.add(client, queue, BlkRequest.IN, 1);
            ServedDisk.eventually().until(client.error::drain);
            assertThat(client.askU64(Request.GET_STATUS) & DeviceStatus.DEVICE_NEEDS_RESET)
                    .isNotZero();
            disks.checkOther();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"RESET_DEVICE", "SET_STATUS", "end of the session"})
    void aResetAndTheEndOfASessionLetTheLogGo(String how) throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                SharedDirtyLog log = SharedDirtyLog.create("test", GUEST_BYTES)) {
            try (TestClient client = disks.connect()) {
                client.negotiate(FEATURES);
                DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
                disks.checkRead(client, queue, 1);
                long mappings = Mapping.openCount();
                logBase(client, log);
                logAll(client, FEATURES, true);
                disks.checkRead(client, queue, 1);
                log.clear();
                if (how.equals("RESET_DEVICE")) {
                    assertThat(client.acknowledged(Request.RESET_DEVICE, NONE)).isZero();
                } else if (how.equals("SET_STATUS")) {
                    assertThat(client.acknowledged(Request.SET_STATUS, TestClient.u64(0)))
                            .isZero();
                }
                if (!how.startsWith("end")) {
                    logAll(client, FEATURES, false);
                    disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), 2);
                    assertThat(Mapping.openCount()).isEqualTo(mappings);
                }
            }
            ServedDisk.awaitFree(disks.endpoint);
            try (TestClient next = disks.connect()) {
                next.negotiate(FEATURES);
                disks.checkRead(next, next.start(16, FEATURES, QueueState.initial(false)), 3);
            }
            assertThat(marked(log)).isEmpty();
        }
    }

    @Test
    void aDeviceThatCannotLogDoesNotOfferIt() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                SharedDirtyLog log = SharedDirtyLog.create("test", GUEST_BYTES)) {
            VdpaDevice mute = AlteredDevice.of(
                    disks.unserved(),
                    Map.of("capabilities", _ -> EnumSet.complementOf(EnumSet.of(Capability.DIRTY_LOG))));
            Path socket = folder.resolve("mute.sock");
            VhostUserEndpoint endpoint = disks.server.serve(mute, socket);
            try (TestClient client = new TestClient(socket)) {
                assertThat(client.askU64(Request.GET_FEATURES) & Feature.VHOST_LOG_ALL)
                        .isZero();
                assertThat(client.askU64(Request.GET_PROTOCOL_FEATURES) & ProtocolFeature.LOG_SHMFD)
                        .isZero();
                assertThat(client.ask(Request.SET_LOG_BASE, TestClient.log(8, 0), log.fd()))
                        .isNull();
            }
            ServedDisk.awaitFree(endpoint);
            assertThat(endpoint.lastEnd()).contains("without its protocol feature");
            try (TestClient client = new TestClient(socket)) {
                client.send(Request.SET_FEATURES, 0, TestClient.u64(FEATURES | Feature.VHOST_LOG_ALL));
                assertThat(client.receive()).isNull();
            }
            ServedDisk.awaitFree(endpoint);
            assertThat(endpoint.lastEnd()).contains("were not offered");
        }
    }

    @Test
    void aLogThatTheDeviceDoesNotTakeIsNotAnswered() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                SharedDirtyLog log = SharedDirtyLog.create("test", GUEST_BYTES)) {
            VdpaDevice broken = AlteredDevice.of(disks.unserved(), Map.of("dirtyLog", arguments -> {
                if (arguments != null && arguments[0] != null) {
                    throw new IOException("no log today");
                }
                return null;
            }));
            Path socket = folder.resolve("broken.sock");
            VhostUserEndpoint endpoint = disks.server.serve(broken, socket);
            try (TestClient client = new TestClient(socket)) {
                client.negotiate(FEATURES);
                logBase(client, log);
                long all = FEATURES | Feature.VHOST_USER_PROTOCOL_FEATURES | Feature.VHOST_LOG_ALL;
                assertThat(client.acknowledged(Request.SET_FEATURES, TestClient.u64(all)))
                        .as("refused, so that no migration trusts it")
                        .isEqualTo(1);
                assertThat(client.askU64(Request.GET_STATUS)).isZero();
                client.send(Request.SET_FEATURES, 0, TestClient.u64(all));
                assertThat(client.receive()).isNull();
            }
            ServedDisk.awaitFree(endpoint);
            assertThat(endpoint.lastEnd()).isEqualTo("no log today");
        }
    }

    @Test
    void theDescriptorThatNobodyHasToBeWokenByIsTaken() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            long before = Fd.openCount();
            assertThat(client.acknowledged(Request.SET_LOG_FD, NONE, client.call.fd()))
                    .isZero();
            assertThat(client.askU64(Request.GET_STATUS)).isZero();
            assertThat(Fd.openCount()).isEqualTo(before);
        }
    }
}
