package io.fairlead.devices.vsock;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.HostileRequests;
import io.fairlead.devices.vsock.VsockDriver.Packet;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.VsockPacket;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Guests that send what none should. Whatever they do, the device goes on and keeps its bounds. */
@Timeout(120)
class VsockHostileTest {
    private static final int REQUESTS = 10_000;
    private static final int CONNECTIONS = 16;
    private static final int PORTS = 4;

    @TempDir
    Path folder;

    private final long descriptors = Fd.openCount();
    private final long mappings = Mapping.openCount();
    private EventLoopGroup loops;
    private VsockDevice device;
    private Thread listener;
    private ServerSocketChannel server;

    /** A device, and somebody at port 1 of the host who takes connections, says something, and goes. */
    @BeforeEach
    void start() throws IOException {
        loops = new EventLoopGroup(1);
        Path path = folder.resolve("v.sock");
        device = VsockDevice.create(
                "vsock0",
                VsockSettings.of(
                        Map.of("cid", "3", "path", path.toString(), "connections", Integer.toString(CONNECTIONS))),
                loops);
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(path + "_1"));
        listener = Thread.ofPlatform().daemon().start(() -> {
            try {
                while (true) {
                    try (SocketChannel accepted = server.accept()) {
                        int _ = accepted.write(ByteBuffer.wrap(new byte[5000]));
                    } catch (IOException e) {
                        if (!server.isOpen()) {
                            return;
                        }
                    }
                }
            } catch (RuntimeException e) {
                // The channel is closed.
            }
        });
    }

    @AfterEach
    void end() throws Exception {
        server.close();
        listener.join();
        device.close();
        loops.close();
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    /** A header that makes sense here and there, for ports that are used. */
    private static void header(Random random, MemorySegment readable) {
        HostileRequests.noise(random, readable);
        byte[] header = packet(random, new byte[0]);
        MemorySegment.copy(
                header, 0, readable, ValueLayout.JAVA_BYTE, 0, (int) Math.min(header.length, readable.byteSize()));
    }

    private static byte[] packet(Random random, byte[] data) {
        int wrong = random.nextInt(12);
        byte[] bytes = new Packet(
                        wrong == 0 ? random.nextLong() : VsockDriver.CID,
                        wrong == 1 ? random.nextInt(5) : VsockPacket.CID_HOST,
                        random.nextInt(PORTS),
                        random.nextInt(10) == 0 ? random.nextInt() : 1,
                        wrong == 2 ? random.nextInt(4) : VsockPacket.TYPE_STREAM,
                        wrong == 3 ? random.nextInt() : random.nextInt(9),
                        random.nextInt(5),
                        random.nextInt(4) == 0 ? random.nextInt() : 1 << 16,
                        random.nextInt(4) == 0 ? random.nextInt() : 0,
                        Octets.of(data))
                .bytes();
        if (wrong == 4) {
            bytes[VsockPacket.LEN_OFFSET + random.nextInt(Integer.BYTES)] = (byte) random.nextInt();
        }
        return bytes;
    }

    @Test
    void survivesTenThousandMalformedPackets() throws Exception {
        HostileRequests.Counts counts = HostileRequests.send(
                device, VsockPacket.TRANSMIT_QUEUE, Feature.VERSION_1, REQUESTS, 5, VsockHostileTest::header);
        assertThat(counts.answered()).isPositive();
        assertThat(counts.resets()).isPositive();
        assertThat(device.counters().malformed.sum()).isPositive();
    }

    @Test
    void survivesTenThousandMalformedBuffers() throws Exception {
        Thread talker = Thread.ofPlatform().daemon().start(this::connectAgainAndAgain);
        HostileRequests.Counts counts = HostileRequests.send(
                device, VsockPacket.RECEIVE_QUEUE, Feature.VERSION_1, REQUESTS, 6, HostileRequests::noise);
        talker.interrupt();
        talker.join();
        assertThat(counts.answered()).isPositive();
        assertThat(counts.resets()).isPositive();
    }

    /** Packets for the guest without end, so that no buffer waits. */
    private void connectAgainAndAgain() {
        byte[] greeting = "CONNECT 1\n".getBytes(StandardCharsets.US_ASCII);
        Deque<SocketChannel> clients = new ArrayDeque<>();
        while (!Thread.currentThread().isInterrupted()) {
            try {
                SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("v.sock")));
                clients.add(client);
                if (clients.size() > CONNECTIONS / 2) {
                    clients.remove().close();
                }
                int _ = client.write(ByteBuffer.wrap(greeting));
            } catch (IOException e) {
                // Turned away.
            }
        }
        for (SocketChannel client : clients) {
            try {
                client.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Whole packets of no sense, one after another to the same connections, whose answers are taken. */
    @Test
    void keepsItsBoundsWhateverPacketsCome() throws Exception {
        Random random = new Random(7);
        try (VsockDriver driver = new VsockDriver(device, Feature.VERSION_1)) {
            int answers = 0;
            for (int i = 0; i < REQUESTS; i++) {
                driver.send(packet(random, new byte[random.nextInt(3) == 0 ? random.nextInt(9000) : 0]));
                for (Packet answer = driver.poll(); answer != null; answer = driver.poll()) {
                    answers++;
                    assertThat(answer.op()).isBetween(VsockPacket.OP_RESPONSE, VsockPacket.OP_CREDIT_REQUEST);
                }
                assertThat(DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                        .isFalse();
                assertThat(Fd.openCount()).isLessThan(descriptors + CONNECTIONS + 40);
            }
            assertThat(answers).isPositive();
            assertThat(device.counters().opened.sum()).isPositive();
            assertThat(device.counters().malformed.sum()).isPositive();
        }
    }
}
