package io.fairlead.devices.vsock;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.vsock.VsockDriver.Packet;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.VsockPacket;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Several streams at once, each written and read in random pieces on both sides by peers that keep to the credit: every
 * byte arrives once, in order, and each side sees the other's end.
 */
@Timeout(120)
class VsockModelTest {
    private static final int STREAMS = 5;
    private static final int PORT = 9;
    private static final int STREAM_BYTES = 2 << 20;
    private static final int GUEST_ROOM = 40_000;

    @TempDir
    Path folder;

    /** One stream's two ends; what stands at a place of a direction follows from both. */
    private static final class Stream {
        final int guestPort;
        final SocketChannel host;

        // To the guest.
        int hostWritten;
        int guestReceived;
        int guestConsumed;
        boolean hostEnded;
        boolean guestSawEnd;

        // To the host.
        int guestSent;
        int hostRead;
        int deviceRoom = Connection.BUFFER_BYTES;
        int deviceForwarded;
        boolean guestEnded;
        boolean hostSawEnd;

        Stream(int guestPort, SocketChannel host) {
            this.guestPort = guestPort;
            this.host = host;
        }

        byte at(int direction, int place) {
            int mixed = (guestPort * 31 + direction) * 0x9e3779b9 + place * 0x85ebca6b;
            return (byte) (mixed >>> 24);
        }

        boolean isOver() {
            return guestSawEnd && hostSawEnd && guestConsumed == STREAM_BYTES;
        }
    }

    private final List<Stream> streams = new ArrayList<>();
    private final ByteBuffer bytes = ByteBuffer.allocate(100_000);
    private VsockDriver driver;
    private Random random;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void everyByteArrivesOnceInOrder(long seed) throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        random = new Random(seed);
        long features = Feature.VERSION_1 | (seed % 2 == 0 ? Feature.RING_PACKED : 0);
        Path path = folder.resolve("v.sock");
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VsockDevice device = VsockDevice.create(
                        "vsock0", VsockSettings.of(Map.of("cid", "3", "path", path.toString())), loops);
                VsockDriver theDriver = new VsockDriver(device, features);
                ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            driver = theDriver;
            server.bind(UnixDomainSocketAddress.of(path + "_" + PORT));
            for (int i = 0; i < STREAMS; i++) {
                driver.send(Packet.of(100 + i, PORT, VsockPacket.OP_REQUEST).withCredit(GUEST_ROOM, 0));
                assertThat(driver.next().op()).isEqualTo(VsockPacket.OP_RESPONSE);
                SocketChannel host = server.accept();
                host.configureBlocking(false);
                streams.add(new Stream(100 + i, host));
            }
            while (!streams.stream().allMatch(Stream::isOver)) {
                step(streams.get(random.nextInt(STREAMS)));
                for (Packet packet = driver.poll(); packet != null; packet = driver.poll()) {
                    take(packet);
                }
            }
            for (Stream each : streams) {
                each.host.close();
            }
            assertThat(device.counters().opened.sum()).isEqualTo(STREAMS);
            assertThat(device.counters().overCredit.sum()).isZero();
            assertThat(device.counters().malformed.sum()).isZero();
            long total = (long) STREAMS * STREAM_BYTES;
            assertThat(device.statistics().total().readBytes()).isEqualTo(total);
            assertThat(device.statistics().total().writtenBytes()).isEqualTo(total);
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    private void step(Stream stream) throws Exception {
        switch (random.nextInt(5)) {
            case 0 -> hostWrites(stream);
            case 1 -> hostReads(stream);
            case 2 -> guestSends(stream);
            case 3 -> guestConsumes(stream);
            default -> {
                if (random.nextInt(20) == 0) {
                    send(stream, VsockPacket.OP_CREDIT_REQUEST);
                }
            }
        }
    }

    private void hostWrites(Stream stream) throws IOException {
        int count = Math.min(random.nextInt(bytes.capacity()), STREAM_BYTES - stream.hostWritten);
        bytes.clear();
        for (int i = 0; i < count; i++) {
            bytes.put(stream.at(0, stream.hostWritten + i));
        }
        if (!stream.hostEnded) {
            stream.hostWritten += stream.host.write(bytes.flip());
        }
        if (stream.hostWritten == STREAM_BYTES && !stream.hostEnded) {
            stream.hostEnded = true;
            stream.host.shutdownOutput();
        }
    }

    private void hostReads(Stream stream) throws IOException {
        bytes.clear().limit(1 + random.nextInt(bytes.capacity() - 1));
        int count = stream.hostSawEnd ? 0 : stream.host.read(bytes);
        if (count < 0) {
            assertThat(stream.hostRead).isEqualTo(STREAM_BYTES);
            stream.hostSawEnd = true;
        }
        for (int i = 0; i < count; i++) {
            assertThat(bytes.get(i)).isEqualTo(stream.at(1, stream.hostRead++));
        }
    }

    private void guestSends(Stream stream) throws Exception {
        int room = stream.deviceRoom - (stream.guestSent - stream.deviceForwarded);
        int count = Math.min(Math.min(random.nextInt(64 << 10), room), STREAM_BYTES - stream.guestSent);
        if (count > 0) {
            byte[] data = new byte[count];
            for (int i = 0; i < count; i++) {
                data[i] = stream.at(1, stream.guestSent++);
            }
            send(stream, VsockPacket.OP_RW, data);
        }
        if (stream.guestSent == STREAM_BYTES && !stream.guestEnded) {
            stream.guestEnded = true;
            driver.send(packet(stream, VsockPacket.OP_SHUTDOWN).withFlags(VsockPacket.SHUTDOWN_SEND));
        }
    }

    private void guestConsumes(Stream stream) throws Exception {
        int before = stream.guestConsumed;
        stream.guestConsumed += random.nextInt(stream.guestReceived - before + 1);
        if (stream.guestConsumed > before && random.nextBoolean()) {
            send(stream, VsockPacket.OP_CREDIT_UPDATE);
        }
    }

    private static Packet packet(Stream stream, int op, byte... data) {
        return Packet.of(stream.guestPort, PORT, op, data).withCredit(GUEST_ROOM, stream.guestConsumed);
    }

    private void send(Stream stream, int op, byte... data) throws Exception {
        driver.send(packet(stream, op, data));
    }

    private void take(Packet packet) throws Exception {
        Stream stream = streams.get(packet.dstPort() - 100);
        stream.deviceRoom = packet.bufAlloc();
        stream.deviceForwarded = packet.fwdCnt();
        assertThat(stream.guestSent - stream.deviceForwarded).isBetween(0, Connection.BUFFER_BYTES);
        switch (packet.op()) {
            case VsockPacket.OP_RW -> {
                Octets data = packet.data();
                for (int i = 0; i < data.size(); i++) {
                    assertThat(data.get(i)).isEqualTo(stream.at(0, stream.guestReceived++));
                }
                assertThat(stream.guestReceived - stream.guestConsumed).isLessThanOrEqualTo(GUEST_ROOM);
            }
            case VsockPacket.OP_SHUTDOWN -> {
                if ((packet.flags() & VsockPacket.SHUTDOWN_SEND) != 0) {
                    assertThat(stream.guestReceived).isEqualTo(STREAM_BYTES);
                    stream.guestSawEnd = true;
                }
            }
            case VsockPacket.OP_CREDIT_REQUEST -> send(stream, VsockPacket.OP_CREDIT_UPDATE);
            default -> assertThat(packet.op()).isEqualTo(VsockPacket.OP_CREDIT_UPDATE);
        }
    }
}
