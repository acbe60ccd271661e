package io.fairlead.vhostuser.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.protocol.InflightBuffer;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.vhostuser.protocol.VringBase;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class VhostUserServerTest {
    private static final long FEATURES = ServedDisk.FEATURES;

    @TempDir
    Path folder;

    private static long features(boolean packed) {
        return packed ? FEATURES | Feature.RING_PACKED : FEATURES;
    }

    private static int base(byte[] reply) {
        return ByteBuffer.wrap(reply).order(ByteOrder.nativeOrder()).getInt(4);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aRingServesStopsTellsWhereItStandsAndGoesOn(boolean packed) throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(features(packed));
            DriverQueue queue = client.start(16, features(packed), QueueState.initial(packed));
            for (int sector = 0; sector < 40; sector++) {
                disks.checkRead(client, queue, sector);
            }
            int base = base(client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0)));
            QueueState state = VringBase.decode(base, packed);
            assertThat(state).isEqualTo(queue.state());
            DriverQueue again = client.start(16, features(packed), state);
            for (int sector = 100; sector < 140; sector++) {
                disks.checkRead(client, again, sector);
            }
        }
    }

    /** As DPDK's virtio-user, which has no in-flight region. */
    @Test
    void aPackedRingStartsWithTheAvailableHalfOfItsStateAlone() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(features(true));
            DriverQueue queue = client.start(16, features(true), QueueState.initial(true), 1 << 15);
            for (int sector = 0; sector < 40; sector++) {
                disks.checkRead(client, queue, sector);
            }
        }
    }

    @Test
    void aDisabledRingTakesNothingAndGoesOnWhereItStood() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            disks.checkRead(client, queue, 1);
            assertThat(client.acknowledged(Request.SET_VRING_ENABLE, TestClient.state(0, 0)))
                    .isZero();
            disks.add(client, queue, BlkRequest.IN, 2);
            // The answer to a later message shows that the kick had its time.
            client.askU64(Request.GET_STATUS);
            assertThat(queue.hasUsed()).isFalse();
            assertThat(client.acknowledged(Request.SET_VRING_ENABLE, TestClient.state(0, 1)))
                    .isZero();
            ServedDisk.eventually().until(queue::hasUsed);
            assertThat(queue.poll()).isTrue();
            disks.checkRead(client, queue, 3);
        }
    }

    @Test
    void withoutProtocolFeaturesARingRunsFromItsKickOn() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            DriverRings rings = client.rings(8, FEATURES);
            DriverQueue queue = DriverQueue.create(rings);
            client.send(Request.SET_OWNER, 0, new byte[0]);
            client.send(Request.SET_FEATURES, 0, TestClient.u64(FEATURES));
            client.send(
                    Request.SET_MEM_TABLE,
                    0,
                    TestClient.table(TestClient.GUEST_BASE, TestClient.MEMORY_BYTES, TestClient.USER_BASE, 0),
                    client.memoryFd);
            client.send(Request.SET_VRING_NUM, 0, TestClient.state(0, 8));
            client.send(Request.SET_VRING_BASE, 0, TestClient.state(0, 0));
            client.send(Request.SET_VRING_ADDR, 0, TestClient.address(0, rings));
            client.send(Request.SET_VRING_CALL, 0, TestClient.u64(0), client.call.fd());
            client.send(Request.SET_VRING_KICK, 0, TestClient.u64(0), client.kick.fd());
            disks.checkRead(client, queue, 9);
        }
    }

    @Test
    void theClientIsSignalledWhereItAskedForIt() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            queue.enableInterrupts();
            disks.checkRead(client, queue, 4);
            ServedDisk.eventually().until(client.call::drain);
        }
    }

    /** A signal to the old one may be lost, and with EVENT_IDX it was the only one. */
    @Test
    void whoSwitchesToAnotherDescriptorMissesNoSignal() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect();
                EventFd other = EventFd.create("other call")) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            queue.enableInterrupts();
            disks.checkRead(client, queue, 4);
            ServedDisk.eventually().until(client.call::drain);
            assertThat(client.acknowledged(Request.SET_VRING_CALL, TestClient.u64(0), other.fd()))
                    .isZero();
            assertThat(other.drain()).isTrue();
            assertThat(client.call.drain()).isFalse();
            // Of a ring that stands still, whose answers the client has seen, nothing is lost.
            client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0));
            assertThat(client.acknowledged(Request.SET_VRING_CALL, TestClient.u64(0), client.call.fd()))
                    .isZero();
            assertThat(client.call.drain()).isFalse();
        }
    }

    /** Disabling a ring waits for its answers, and who does not wait for the disabling does not see them come. */
    @Test
    void whoSwitchesToAnotherDescriptorWhileARingIsDisabledMissesNoSignal() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect();
                EventFd other = EventFd.create("other call")) {
            client.negotiate(FEATURES);
            // Until it runs, nothing is signalled.
            assertThat(client.acknowledged(Request.SET_VRING_CALL, TestClient.u64(0), other.fd()))
                    .isZero();
            assertThat(other.drain()).isFalse();
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            queue.enableInterrupts();
            disks.add(client, queue, BlkRequest.IN, 4);
            client.send(Request.SET_VRING_ENABLE, 0, TestClient.state(0, 0));
            assertThat(client.acknowledged(Request.SET_VRING_CALL, TestClient.u64(0), other.fd()))
                    .isZero();
            assertThat(client.acknowledged(Request.SET_VRING_ENABLE, TestClient.state(0, 1)))
                    .isZero();
            assertThat(other.drain()).isTrue();
        }
    }

    @Test
    void aResetForgetsTheDriverAndKeepsWhomToSignal() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), 4);
            assertThat(client.acknowledged(Request.SET_STATUS, TestClient.u64(0)))
                    .isZero();
            // A client such as QEMU says again all that a driver sets, but not whom to signal while that is masked.
            DriverRings rings = client.rings(16, FEATURES);
            DriverQueue queue = DriverQueue.create(rings);
            client.call.drain();
            client.send(Request.SET_FEATURES, 0, TestClient.u64(FEATURES | Feature.VHOST_USER_PROTOCOL_FEATURES));
            client.send(Request.SET_VRING_NUM, 0, TestClient.state(0, 16));
            client.send(Request.SET_VRING_BASE, 0, TestClient.state(0, 0));
            client.send(Request.SET_VRING_ADDR, 0, TestClient.address(0, rings));
            client.send(Request.SET_VRING_KICK, 0, TestClient.u64(0), client.kick.fd());
            client.send(Request.SET_VRING_ENABLE, 0, TestClient.state(0, 1));
            queue.enableInterrupts();
            disks.checkRead(client, queue, 5);
            ServedDisk.eventually().until(client.call::drain);
        }
    }

    /** As QEMU's generic devices do: the status is written once, before there are rings. */
    @Test
    void aDriverThatNeverSaysThatItIsReadyIsWhenItsRingsAreEnabled() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            assertThat(client.acknowledged(Request.SET_STATUS, TestClient.u64(11)))
                    .isZero();
            assertThat(client.askU64(Request.GET_STATUS)).isEqualTo(11);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            disks.checkRead(client, queue, 1);
            assertThat(client.askU64(Request.GET_STATUS)).as("with DRIVER_OK").isEqualTo(15);
        }
    }

    @Test
    void aStatusOfZeroAfterTheRingsStoppedLeavesTheStateToBeTaken() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            assertThat(client.acknowledged(Request.SET_STATUS, TestClient.u64(15)))
                    .isZero();
            disks.checkRead(client, queue, 1);
            int base = base(client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0)));
            assertThat(client.acknowledged(Request.SET_STATUS, TestClient.u64(0)))
                    .isZero();
            assertThat(client.askU64(Request.GET_STATUS)).as("as written").isZero();
            assertThat(disks.disk.driverFeatures()).isEqualTo(FEATURES);
            assertThat(disks.disk.status()).isEqualTo(15);
            assertThat(disks.disk.queueState(0)).isEqualTo(queue.state());
            assertThat(client.acknowledged(
                            Request.SET_FEATURES, TestClient.u64(FEATURES | Feature.VHOST_USER_PROTOCOL_FEATURES)))
                    .isZero();
            assertThat(disks.disk.status()).as("when the client goes on").isZero();
            disks.checkRead(client, client.start(16, FEATURES, VringBase.decode(base, false)), 2);
        }
    }

    /** Only a driver's reset has to wait for the host; who does not tell of it always does. */
    @ParameterizedTest
    @CsvSource({"true, false, restart", "true, true, reset", "false, false, resetOrRestart"})
    void aMachineThatStoodStillIsNotReset(boolean tells, boolean driverResets, String expected) throws Exception {
        List<String> calls = new CopyOnWriteArrayList<>();
        try (ServedDisk disks = new ServedDisk(folder)) {
            VdpaDevice disk = disks.unserved();
            VdpaDevice watched = (VdpaDevice) Proxy.newProxyInstance(
                    VdpaDevice.class.getClassLoader(), new Class<?>[] {VdpaDevice.class}, (_, method, arguments) -> {
                        if (List.of("reset", "restart", "resetOrRestart").contains(method.getName())) {
                            calls.add(method.getName());
                        }
                        return method.invoke(disk, arguments);
                    });
            VhostUserEndpoint endpoint = disks.server.serve(watched, folder.resolve("watched.sock"));
            try (TestClient client = new TestClient(endpoint.path())) {
                client.negotiate(FEATURES);
                long protocol = client.askU64(Request.GET_PROTOCOL_FEATURES);
                client.send(
                        Request.SET_PROTOCOL_FEATURES,
                        0,
                        TestClient.u64(tells ? protocol : protocol & ~ProtocolFeature.RESET_DEVICE));
                DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
                disks.checkRead(client, queue, 1);
                int base = base(client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0)));
                client.send(Request.SET_STATUS, 0, TestClient.u64(0));
                calls.clear();
                if (driverResets) {
                    client.send(Request.RESET_DEVICE, 0, new byte[0]);
                }
                long features = FEATURES | Feature.VHOST_USER_PROTOCOL_FEATURES;
                assertThat(client.acknowledged(Request.SET_FEATURES, TestClient.u64(features)))
                        .isZero();
                assertThat(calls).containsExactly(expected);
                disks.checkRead(client, client.start(16, FEATURES, VringBase.decode(base, false)), 2);
            }
        }
    }

    @Test
    void aHeldDeviceStaysAsItStoppedUntilItIsReleased() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), 1);
            client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0));
            client.send(Request.SET_STATUS, 0, TestClient.u64(0));
            disks.endpoint.holdRings();
            long features = FEATURES | Feature.VHOST_USER_PROTOCOL_FEATURES;
            CompletableFuture<Long> begun = CompletableFuture.supplyAsync(() -> {
                try {
                    return client.acknowledged(Request.SET_FEATURES, TestClient.u64(features));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            assertThatThrownBy(() -> begun.get(100, TimeUnit.MILLISECONDS)).isInstanceOf(TimeoutException.class);
            assertThat(disks.disk.driverFeatures()).isEqualTo(FEATURES);
            assertThat(disks.disk.queueState(0)).isNotEqualTo(QueueState.initial(false));
            disks.endpoint.releaseRings();
            assertThat(begun.get(60, TimeUnit.SECONDS)).isZero();
            assertThat(disks.disk.queueState(0)).isEqualTo(QueueState.initial(false));
        }
    }

    @Test
    void clientsComeAndGoOneAtATime() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(disks.endpoint.path())))
                    .isEqualTo("rw-------");
            for (int i = 0; i < 3; i++) {
                try (TestClient client = disks.connect()) {
                    client.negotiate(FEATURES);
                    disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), i);
                    assertThat(disks.endpoint.isConnected()).isTrue();
                    assertThat(client.askU64(Request.GET_QUEUE_NUM)).isEqualTo(2);
                }
                ServedDisk.awaitFree(disks.endpoint);
                assertThat(disks.endpoint.lastEnd()).isEqualTo("the client closed the connection");
                assertThat(disks.disk.queueReady(0)).isFalse();
                assertThat(disks.disk.status()).isZero();
            }
            assertThat(disks.endpoint.sessionCount()).isEqualTo(3);
        }
    }

    @Test
    void aSecondClientWaitsForItsTurn() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient first = disks.connect()) {
            first.negotiate(FEATURES);
            try (TestClient second = disks.connect()) {
                second.send(Request.GET_FEATURES, 0, new byte[0]);
                disks.checkRead(first, first.start(16, FEATURES, QueueState.initial(false)), 1);
                assertThat(disks.endpoint.sessionCount()).isEqualTo(1);
                first.socket.shutdown();
                assertThat(second.receive()).hasSize(8);
                second.negotiate(FEATURES);
                disks.checkRead(second, second.start(16, FEATURES, QueueState.initial(false)), 2);
            }
            ServedDisk.awaitFree(disks.endpoint);
            assertThat(disks.endpoint.sessionCount()).isEqualTo(2);
        }
    }

    @Test
    void closingTheServerEndsTheClientAndRemovesTheSocket() throws Exception {
        Path path;
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            path = disks.endpoint.path();
            disks.endpoint.close();
            assertThat(client.receive()).isNull();
            assertThat(disks.server.endpoints()).containsExactly(disks.otherEndpoint);
            assertThat(path).doesNotExist();
        }
    }

    @Test
    void aSocketInUseIsNotTakenOver() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            assertThatThrownBy(() -> disks.server.serve(disks.disk, disks.endpoint.path()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(disks.endpoint.path().toString());
            disks.checkOther();
        }
    }

    @Test
    void theConfigurationSpaceIsReadWithRoomForNewerFieldsAndItsChangesAreTold() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            byte[] reply = client.ask(Request.GET_CONFIG, TestClient.config(0, 200, 0));
            assertThat(reply).hasSize(212);
            assertThat(ByteBuffer.wrap(reply).order(ByteOrder.LITTLE_ENDIAN).getLong(12))
                    .as("capacity in sectors")
                    .isEqualTo(ServedDisk.DISK_BYTES / 512);
            assertThat(reply[211]).isZero();
            assertThat(client.ask(Request.GET_CONFIG, TestClient.config(disks.disk.configByteCount() + 1, 4, 0)))
                    .as("the protocol's error")
                    .isEmpty();
            List<UnixSocket> pair = UnixSocket.socketPair("channel");
            try (UnixSocket ours = pair.get(0);
                    UnixSocket theirs = pair.get(1);
                    Mapping message = Mapping.anonymous(4096)) {
                ours.receiveTimeout(10_000);
                assertThat(client.acknowledged(Request.SET_BACKEND_REQ_FD, new byte[0], theirs.fd()))
                        .isZero();
                disks.disk.resize(2 * ServedDisk.DISK_BYTES);
                assertThat(ours.receive(message.segment(), 0, 12, client.received))
                        .isEqualTo(12);
                assertThat(message.segment().asSlice(0, 12).toArray(ValueLayout.JAVA_INT))
                        .as("CONFIG_CHANGE_MSG, version 1, no reply wanted, no payload")
                        .containsExactly(2, 1, 0);
                // A client such as QEMU did not listen yet: it is told again when a ring runs, and then no more.
                client.start(16, FEATURES, QueueState.initial(false));
                assertThat(ours.receive(message.segment(), 0, 12, client.received))
                        .isEqualTo(12);
                client.ask(Request.GET_CONFIG, TestClient.config(0, 8, 0));
                ours.receiveTimeout(1);
                assertThatThrownBy(() -> ours.receive(message.segment(), 0, 12, client.received))
                        .isInstanceOf(IOException.class);
            }
            byte[] after = client.ask(Request.GET_CONFIG, TestClient.config(0, 8, 0));
            assertThat(ByteBuffer.wrap(after).order(ByteOrder.LITTLE_ENDIAN).getLong(12))
                    .isEqualTo(2 * ServedDisk.DISK_BYTES / 512);
        }
    }

    @Test
    void acknowledgementsComeWhereAskedForAndOnce() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            // Before REPLY_ACK is negotiated nothing but what has an answer is answered.
            client.send(Request.SET_OWNER, TestClient.NEED_REPLY, new byte[0]);
            assertThat(client.askU64(Request.GET_FEATURES) & Feature.VHOST_USER_PROTOCOL_FEATURES)
                    .isNotZero();
            client.negotiate(FEATURES);
            // An answer of its own counts as the acknowledgement.
            client.send(Request.GET_QUEUE_NUM, TestClient.NEED_REPLY, new byte[0]);
            assertThat(client.receive()).hasSize(8);
            assertThat(client.askU64(Request.GET_STATUS)).isZero();
            assertThat(client.askU64(Request.GET_MAX_MEM_SLOTS)).isEqualTo(509);
        }
    }

    @Test
    void whatTheHostCannotDoIsAnsweredWithAnErrorAndTheSessionGoesOn() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            long far = TestClient.GUEST_BASE + TestClient.MEMORY_BYTES;
            assertThat(client.acknowledged(
                            Request.ADD_MEM_REG, TestClient.region(far, 2 << 20, 0x1000, 0), client.memoryFd))
                    .as("a region longer than its file")
                    .isEqualTo(1);
            disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), 3);
        }
    }

    @Test
    void memoryComesAndGoesWhileARingRuns() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            byte[] more = TestClient.region(0x8000_0000L, 8192, 0x5000_0000, 4096);
            for (int i = 0; i < 20; i++) {
                assertThat(client.acknowledged(Request.ADD_MEM_REG, more, client.memoryFd))
                        .isZero();
                disks.checkRead(client, queue, 2 * i);
                // A surplus descriptor comes from known clients.
                assertThat(client.acknowledged(Request.REM_MEM_REG, more, client.memoryFd))
                        .isZero();
                disks.checkRead(client, queue, 2 * i + 1);
            }
        }
    }

    @Test
    void theGuestsMemoryIsThereForOthersWhileTheRingsAreStoppedAndAfterTheClientHasGone() throws Exception {
        long mappings = Mapping.openCount();
        try (ServedDisk disks = new ServedDisk(folder)) {
            MemoryTable none = disks.endpoint.retainedMemory();
            assertThat(none.regions()).isEmpty();
            none.release();
            MemoryTable kept;
            try (TestClient client = disks.connect()) {
                client.negotiate(FEATURES);
                DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
                disks.checkRead(client, queue, 1);
                byte[] _ = client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0));
                kept = disks.endpoint.retainedMemory();
                assertThat(kept.regions())
                        .extracting(MemoryRegion::guestAddress)
                        .contains(TestClient.GUEST_BASE);
                client.guest(TestClient.GUEST_BASE, 1).set(ValueLayout.JAVA_BYTE, 0, (byte) 77);
            }
            ServedDisk.awaitFree(disks.endpoint);
            assertThat(kept.regions().getFirst().segment().get(ValueLayout.JAVA_BYTE, 0))
                    .isEqualTo((byte) 77);
            kept.release();
            MemoryTable gone = disks.endpoint.retainedMemory();
            assertThat(gone.regions()).isEmpty();
            gone.release();
        }
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    @Test
    void requestsInFlightAreRecordedInMemoryThatTheClientKeeps() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            byte[] reply = client.ask(Request.GET_INFLIGHT_FD, TestClient.inflight(0, 0, 2, 16));
            assertThat(client.received).hasSize(1);
            ByteBuffer described = ByteBuffer.wrap(reply).order(ByteOrder.nativeOrder());
            // QEMU 10.0.13 asks for less than its rings need.
            assertThat(described.getLong(0)).isEqualTo(2 * InflightBuffer.partBytes(disks.disk.maxQueueSize(0)));
            assertThat(client.acknowledged(Request.SET_INFLIGHT_FD, reply, client.received.getFirst()))
                    .isZero();
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            for (int sector = 0; sector < 20; sector++) {
                disks.checkRead(client, queue, sector);
            }
            try (Mapping region = Mapping.shared(client.received.getFirst(), 0, described.getLong(0), false)) {
                assertThat(region.segment().get(ValueLayout.JAVA_SHORT, 8))
                        .as("version of the region of queue 0")
                        .isEqualTo((short) 1);
            }
            // A queue whose part records as much goes on with it, whatever base the client believes in.
            client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0));
            assertThat(client.acknowledged(Request.SET_INFLIGHT_FD, reply, client.received.getFirst()))
                    .isZero();
        }
    }

    @Test
    void aGuestFaultIsToldAndAResetMakesTheDeviceWhole() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            // A buffer far outside the memory.
            queue.add(new long[] {0x7fff_0000_0000L}, new int[] {16}, 1, 0, 0);
            queue.publish();
            client.kick.signal();
            ServedDisk.eventually().until(client.error::drain);
            assertThat(client.askU64(Request.GET_STATUS) & DeviceStatus.DEVICE_NEEDS_RESET)
                    .isNotZero();
            disks.checkOther();
            assertThat(client.acknowledged(Request.RESET_DEVICE, new byte[0])).isZero();
            assertThat(client.askU64(Request.GET_STATUS)).isZero();
            assertThat(client.acknowledged(
                            Request.SET_FEATURES, TestClient.u64(FEATURES | Feature.VHOST_USER_PROTOCOL_FEATURES)))
                    .isZero();
            disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), 3);
        }
    }

    @Test
    void truncatedGuestMemoryHarmsThatDeviceAlone() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            client.start(16, FEATURES, QueueState.initial(false));
            assertThat(FileIo.ftruncate(client.memoryFd.raw(), 0)).isZero();
            client.kick.signal();
            ServedDisk.eventually().until(client.error::drain);
            disks.checkOther();
            assertThat(client.askU64(Request.GET_STATUS) & DeviceStatus.DEVICE_NEEDS_RESET)
                    .isNotZero();
        }
    }

    @Test
    void sessionsLeaveNothingBehind() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            for (int i = 0; i < 500; i++) {
                try (TestClient client = disks.connect()) {
                    client.send(Request.SET_OWNER, 0, new byte[0]);
                    client.send(Request.SET_VRING_CALL, 0, TestClient.u64(i % 2), client.call.fd());
                    client.askU64(Request.GET_FEATURES);
                }
            }
            ServedDisk.eventually().until(() -> disks.endpoint.sessionCount() == 500);
            ServedDisk.awaitFree(disks.endpoint);
        }
    }
}
