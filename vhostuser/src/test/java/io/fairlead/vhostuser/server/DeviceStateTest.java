package io.fairlead.vhostuser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Mapping;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vdpa.state.DeviceSnapshot;
import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.vhostuser.protocol.Payload.Transfer;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.QueueState;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The device's state by way of the client: there and back, broken, endless, and at the wrong time. */
@Timeout(120)
class DeviceStateTest {
    private static final long FEATURES = ServedDisk.FEATURES | BlkConfig.F_CONFIG_WCE;
    private static final int WRITEBACK = 32;
    private static final long TAKEN = 0x100;
    private static final long REFUSED = 0x101;
    private static final byte[] NONE = {};

    @TempDir
    Path folder;

    private static byte[] transfer(int direction, int phase) {
        return TestClient.state(direction, phase);
    }

    private static long number(byte[] reply) {
        return ByteBuffer.wrap(reply).order(ByteOrder.nativeOrder()).getLong();
    }

    /** Begins a transfer; returns our end of its stream, null where it was refused. */
    private static UnixSocket begin(TestClient client, int direction) throws IOException {
        List<UnixSocket> pair = UnixSocket.socketPair("state");
        long answer = number(client.ask(
                Request.SET_DEVICE_STATE_FD,
                transfer(direction, Transfer.STOPPED),
                pair.get(1).fd()));
        // Its close would shut the server's duplicate down too.
        pair.get(1).fd().close();
        if (answer != TAKEN) {
            assertThat(answer).isEqualTo(REFUSED);
            pair.get(0).close();
            return null;
        }
        return pair.get(0);
    }

    private static byte[] readAll(TestClient client, UnixSocket stream) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        try (stream;
                Mapping buffer = Mapping.anonymous(4096)) {
            stream.receiveTimeout(10_000);
            for (; ; ) {
                int count = stream.receive(buffer.segment(), 0, 4096, client.received);
                if (count == 0) {
                    return all.toByteArray();
                }
                all.writeBytes(buffer.segment().asSlice(0, count).toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    private static void writeAll(UnixSocket stream, byte[] state) throws IOException {
        try (stream;
                Mapping buffer = Mapping.anonymous(Math.max(1, state.length))) {
            MemorySegment.copy(state, 0, buffer.segment(), ValueLayout.JAVA_BYTE, 0, state.length);
            if (state.length > 0) {
                stream.sendAll(buffer.segment(), 0, state.length, List.of());
            }
        }
    }

    private static long check(TestClient client) throws IOException {
        return number(client.ask(Request.CHECK_DEVICE_STATE, NONE));
    }

    private static byte[] save(TestClient client) throws IOException {
        byte[] state = readAll(client, begin(client, Transfer.SAVE));
        assertThat(check(client)).isZero();
        return state;
    }

    private static long load(TestClient client, byte[] state) throws IOException {
        writeAll(begin(client, Transfer.LOAD), state);
        return check(client);
    }

    private static byte writeback(TestClient client) throws IOException {
        return client.ask(Request.GET_CONFIG, TestClient.config(WRITEBACK, 1, 0))[12];
    }

    /** Runs a ring, stops it again. */
    private static void use(ServedDisk disks, TestClient client) throws Exception {
        DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
        disks.checkRead(client, queue, 3);
        client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0));
    }

    @Test
    void whileRingsAreHeldTheStateGoesBesideTheClientsStream() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            client.send(Request.SET_CONFIG, 0, TestClient.config(WRITEBACK, 1, 0));
            use(disks, client);
            byte[] state = save(client);
            disks.endpoint.holdRings();
            byte[] beside = save(client);
            assertThat(beside).hasSizeLessThan(64).isNotEqualTo(state);
            disks.endpoint.releaseRings();
            assertThat(save(client)).isEqualTo(state);
            disks.disk.writeConfig(WRITEBACK, MemorySegment.ofArray(new byte[] {1}));
            assertThat(load(client, beside)).isZero();
            assertThat(writeback(client)).as("as it was given beside").isOne();
            use(disks, client);
        }
    }

    @Test
    void aStateGoesToTheClientAndBackToADevice() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            byte[] state;
            try (TestClient client = disks.connect()) {
                client.negotiate(FEATURES);
                client.send(Request.SET_CONFIG, 0, TestClient.config(WRITEBACK, 1, 0));
                assertThat(writeback(client)).isZero();
                use(disks, client);
                // As QEMU does at its stop.
                assertThat(client.acknowledged(Request.SET_STATUS, TestClient.u64(0)))
                        .isZero();
                state = save(client);
                DeviceState decoded = DeviceState.decode(state);
                assertThat(decoded.isFinal()).isTrue();
                assertThat(decoded.driverFeatures()).isEqualTo(FEATURES);
                assertThat(decoded.queueStates()).containsEntry(0, new QueueState.Split(1, 1));
                assertThat(save(client)).as("again").isEqualTo(state);
            }
            ServedDisk.awaitFree(disks.endpoint);
            disks.disk.writeConfig(WRITEBACK, MemorySegment.ofArray(new byte[] {1}));
            try (TestClient client = disks.connect()) {
                client.negotiate(FEATURES);
                assertThat(writeback(client)).isOne();
                assertThat(load(client, state)).isZero();
                assertThat(writeback(client)).isZero();
                use(disks, client);
            }
        }
    }

    @Test
    void whatIsNoStateIsRefusedAndTheDeviceStaysAsItWas() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            client.send(Request.SET_CONFIG, 0, TestClient.config(WRITEBACK, 1, 0));
            use(disks, client);
            byte[] state = save(client);
            byte[] provisional =
                    DeviceSnapshot.take(disks.disk, new UUID(1, 2), 3, false).encode();
            disks.disk.writeConfig(WRITEBACK, MemorySegment.ofArray(new byte[] {1}));
            Random random = new Random(4);
            byte[] garbage = new byte[5000];
            random.nextBytes(garbage);
            assertThat(load(client, NONE)).isOne();
            assertThat(load(client, garbage)).isOne();
            byte[] other =
                    DeviceSnapshot.take(disks.other, new UUID(1, 2), 3, true).encode();
            assertThat(load(client, other)).as("of another volume").isOne();
            assertThat(load(client, provisional)).isOne();
            for (int i = 0; i < 50; i++) {
                byte[] broken = state.clone();
                broken[random.nextInt(broken.length)] ^= (byte) (1 << random.nextInt(8));
                assertThat(load(client, broken)).isOne();
                assertThat(load(client, Arrays.copyOf(state, random.nextInt(state.length))))
                        .isOne();
            }
            assertThat(load(client, Arrays.copyOf(state, state.length + 1))).isOne();
            assertThat(writeback(client)).isOne();
            use(disks, client);
        }
    }

    @Test
    void moreThanAStateMayHaveIsNotTaken() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            try {
                writeAll(begin(client, Transfer.LOAD), new byte[DeviceState.MAX_BYTES + (1 << 20)]);
            } catch (IOException e) {
                assertThat(e).as("nobody reads any more").hasMessageContaining("EPIPE");
            }
            assertThat(check(client)).isOne();
            use(disks, client);
        }
    }

    @Test
    void aTransferAtTheWrongTimeIsRefused() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            assertThat(check(client)).as("there was none").isOne();
            use(disks, client);
            byte[] state = save(client);
            assertThat(check(client)).as("it was asked for already").isOne();

            UnixSocket first = begin(client, Transfer.LOAD);
            assertThat(begin(client, Transfer.LOAD))
                    .as("while one is under way")
                    .isNull();
            assertThat(begin(client, Transfer.SAVE))
                    .as("while one is under way")
                    .isNull();
            writeAll(first, state);
            assertThat(check(client)).isZero();

            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            assertThat(begin(client, Transfer.SAVE)).as("of a running device").isNull();
            assertThat(load(client, state)).as("into a running device").isOne();
            disks.checkRead(client, queue, 5);
        }
    }

    @Test
    void whatIsNoPipeAndWhatIsUnknownIsRefused() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            use(disks, client);
            for (int direction : new int[] {Transfer.SAVE, Transfer.LOAD}) {
                assertThat(number(client.ask(Request.SET_DEVICE_STATE_FD, transfer(direction, 0), client.memoryFd)))
                        .as("a regular file")
                        .isEqualTo(REFUSED);
                assertThat(number(client.ask(Request.SET_DEVICE_STATE_FD, transfer(direction, 1), client.kick.fd())))
                        .as("an unknown phase")
                        .isEqualTo(REFUSED);
            }
            for (int direction : new int[] {2, -1, Integer.MIN_VALUE}) {
                assertThat(number(client.ask(Request.SET_DEVICE_STATE_FD, transfer(direction, 0), client.kick.fd())))
                        .as("an unknown direction")
                        .isEqualTo(REFUSED);
            }
            use(disks, client);
        }
    }

    @Test
    void aStreamWithoutAnEndIsGivenUpWhenTheClientAsks() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            try (UnixSocket _ = begin(client, Transfer.LOAD)) {
                assertThat(check(client)).isOne();
            }
            use(disks, client);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theEndOfASessionEndsItsTransfer(boolean byTheServer) throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect()) {
            client.negotiate(FEATURES);
            try (UnixSocket stream = begin(client, Transfer.LOAD)) {
                assertThat(stream).isNotNull();
                if (byTheServer) {
                    disks.endpoint.close();
                } else {
                    client.socket.shutdown();
                    ServedDisk.awaitFree(disks.endpoint);
                }
            }
        }
    }

    @Test
    void aDeviceWhoseStateGoesInNobodysStreamDoesNotOfferIt() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            VdpaDevice mute = AlteredDevice.of(
                    disks.unserved(),
                    Map.of("capabilities", _ -> EnumSet.complementOf(EnumSet.of(Capability.STREAM_STATE))));
            Path socket = folder.resolve("mute.sock");
            VhostUserEndpoint endpoint = disks.server.serve(mute, socket);
            try (TestClient client = new TestClient(socket);
                    TestClient other = disks.connect()) {
                assertThat(client.askU64(Request.GET_PROTOCOL_FEATURES) & ProtocolFeature.DEVICE_STATE)
                        .isZero();
                assertThat(other.askU64(Request.GET_PROTOCOL_FEATURES) & ProtocolFeature.DEVICE_STATE)
                        .isNotZero();
                assertThat(client.ask(Request.CHECK_DEVICE_STATE, NONE)).isNull();
            }
            ServedDisk.awaitFree(endpoint);
            assertThat(endpoint.lastEnd()).contains("without its protocol feature");
        }
    }
}
