package io.fairlead.vhostuser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Mutants of a good session: whatever a client says, only its own session ends. */
@Timeout(300)
class SessionMutationTest {
    private static final long FEATURES = ServedDisk.FEATURES;
    private static final byte[] NONE = {};

    @TempDir
    Path folder;

    /** A good session, from the first word to I/O on both rings, as it went over the socket. */
    private static List<TestClient.Sent> record(ServedDisk disks, List<Fd> kept) throws Exception {
        List<TestClient.Sent> recorded = new ArrayList<>();
        try (TestClient client = disks.connect()) {
            client.record(sent -> {
                List<Fd> copies = new ArrayList<>();
                for (Fd fd : sent.descriptors()) {
                    try {
                        copies.add(fd.duplicate());
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                }
                kept.addAll(copies);
                recorded.add(new TestClient.Sent(
                        sent.request(), sent.flags(), sent.payload().clone(), copies));
            });
            client.negotiate(FEATURES);
            byte[] inflight = client.ask(Request.GET_INFLIGHT_FD, TestClient.inflight(0, 0, 2, 16));
            client.send(Request.SET_INFLIGHT_FD, 0, inflight, client.received.getFirst());
            List<UnixSocket> channel = UnixSocket.socketPair("channel");
            client.send(Request.SET_BACKEND_REQ_FD, 0, NONE, channel.getFirst().fd());
            for (UnixSocket end : channel) {
                end.close();
            }
            client.ask(Request.GET_CONFIG, TestClient.config(0, 60, 0));
            client.send(Request.SET_CONFIG, 0, TestClient.config(32, 1, 0));
            client.send(Request.SET_STATUS, 0, TestClient.u64(15));
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            disks.checkRead(client, queue, 3);
            client.ask(Request.SET_LOG_BASE, TestClient.log(4096, 8192), client.memoryFd);
            client.send(Request.SET_LOG_FD, 0, NONE, client.kick.fd());
            byte[] logged = TestClient.u64(FEATURES | Feature.VHOST_USER_PROTOCOL_FEATURES | Feature.VHOST_LOG_ALL);
            assertThat(client.acknowledged(Request.SET_FEATURES, logged)).isZero();
            DriverRings rings = client.rings(16, FEATURES);
            client.send(Request.SET_VRING_ADDR, 0, TestClient.address(0, rings, 1, rings.deviceAddress()));
            client.ask(Request.SET_LOG_BASE, TestClient.log(8192, 4096), client.memoryFd);
            client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0));
            // A stream whose other end is gone: a transfer fails at once and holds no mutant up.
            for (int direction : new int[] {0, 1}) {
                List<UnixSocket> stream = UnixSocket.socketPair("state");
                stream.getLast().close();
                client.ask(
                        Request.SET_DEVICE_STATE_FD,
                        TestClient.state(direction, 0),
                        stream.getFirst().fd());
                stream.getFirst().close();
                client.ask(Request.CHECK_DEVICE_STATE, NONE);
            }
            client.send(
                    Request.REM_MEM_REG,
                    0,
                    TestClient.region(TestClient.GUEST_BASE, TestClient.MEMORY_BYTES, TestClient.USER_BASE, 0));
            client.send(Request.RESET_DEVICE, TestClient.NEED_REPLY, NONE);
            client.receive();
        }
        ServedDisk.awaitFree(disks.endpoint);
        return recorded;
    }

    @Test
    void tenThousandMutationsOfASessionHarmNothing() throws Exception {
        List<Fd> kept = new ArrayList<>();
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient bystander = new TestClient(disks.otherEndpoint.path())) {
            bystander.negotiate(FEATURES);
            DriverQueue queue = bystander.start(16, FEATURES, QueueState.initial(false));
            List<TestClient.Sent> recorded = record(disks, kept);
            long mutants = 10_000;
            for (long seed = 0; seed < mutants; seed++) {
                try (UnixSocket socket = UnixSocket.connect(disks.endpoint.path())) {
                    replay(socket, mutate(recorded, new Random(seed)), seed);
                }
                long sessions = seed + 2;
                ServedDisk.eventually()
                        .until(() -> disks.endpoint.sessionCount() == sessions && !disks.endpoint.isConnected());
                assertThat(disks.endpoint.lastEnd()).as("seed %d", seed).doesNotStartWith("internal error");
                if (seed % 100 == 0) {
                    disks.checkRead(bystander, queue, (int) (seed / 100));
                }
            }
            kept.forEach(Fd::close);
        }
    }

    private static List<TestClient.Sent> mutate(List<TestClient.Sent> recorded, Random random) {
        List<TestClient.Sent> session = new ArrayList<>(recorded);
        int mutations = 1 + random.nextInt(3);
        for (int i = 0; i < mutations; i++) {
            int at = random.nextInt(session.size());
            TestClient.Sent sent = session.get(at);
            switch (random.nextInt(8)) {
                case 0 -> session.remove(at);
                case 1 -> session.add(random.nextInt(session.size()), sent);
                case 2 -> Collections.swap(session, at, random.nextInt(session.size()));
                case 3 ->
                    session.set(
                            at,
                            new TestClient.Sent(random.nextInt(45), sent.flags(), sent.payload(), sent.descriptors()));
                case 4 ->
                    session.set(
                            at,
                            new TestClient.Sent(sent.request(), random.nextInt(), sent.payload(), sent.descriptors()));
                case 5 -> session.set(at, new TestClient.Sent(sent.request(), sent.flags(), sent.payload(), List.of()));
                case 6 ->
                    session.set(
                            at,
                            new TestClient.Sent(
                                    sent.request(),
                                    sent.flags(),
                                    Arrays.copyOf(sent.payload(), random.nextInt(64)),
                                    sent.descriptors()));
                default ->
                    session.set(
                            at,
                            new TestClient.Sent(
                                    sent.request(), sent.flags(), garble(sent.payload(), random), sent.descriptors()));
            }
            if (session.isEmpty()) {
                return session;
            }
        }
        return session;
    }

    private static byte[] garble(byte[] payload, Random random) {
        byte[] bytes = payload.clone();
        if (bytes.length > 0) {
            int count = 1 + random.nextInt(4);
            for (int i = 0; i < count; i++) {
                int at = random.nextInt(bytes.length);
                bytes[at] =
                        random.nextBoolean() ? (byte) random.nextInt() : (byte) (bytes[at] ^ 1 << random.nextInt(8));
            }
            if (bytes.length >= 8 && random.nextInt(4) == 0) {
                long[] edges = {0, -1, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 32, TestClient.MEMORY_BYTES, 0xfff};
                ByteBuffer.wrap(bytes)
                        .order(ByteOrder.nativeOrder())
                        .putLong(random.nextInt(bytes.length / 8) * 8, edges[random.nextInt(edges.length)]);
            }
        }
        return bytes;
    }

    /** Sends a whole session, then hangs up; a server that has hung up already is no mistake. */
    private static void replay(UnixSocket socket, List<TestClient.Sent> session, long seed) throws IOException {
        try (Mapping buffer = Mapping.anonymous(8192)) {
            for (TestClient.Sent sent : session) {
                ByteBuffer bytes = TestClient.bytes(12 + sent.payload().length);
                bytes.putInt(sent.request())
                        .putInt(sent.flags())
                        .putInt(sent.payload().length)
                        .put(sent.payload());
                bytes.flip();
                MemorySegment.copy(MemorySegment.ofBuffer(bytes), 0, buffer.segment(), 0, bytes.limit());
                socket.sendAll(buffer.segment(), 0, bytes.limit(), sent.descriptors());
            }
            if (seed % 2 == 0) {
                socket.shutdown();
            }
        } catch (LinuxException e) {
            assertThat(Errno.name(e.errno())).as("seed %d", seed).isIn("EPIPE", "ECONNRESET");
        }
    }
}
