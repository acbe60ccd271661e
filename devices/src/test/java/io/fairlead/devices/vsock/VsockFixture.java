package io.fairlead.devices.vsock;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.vsock.VsockDriver.Packet;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.VsockPacket;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A device, its driver, and programs of the host, for tests. */
abstract class VsockFixture {
    static final int PORT = 1234;

    @TempDir
    Path folder;

    final long descriptors = Fd.openCount();
    private final long mappings = Mapping.openCount();
    EventLoopGroup loops;
    VsockDevice device;
    VsockDriver driver;

    @BeforeEach
    void start() throws IOException {
        loops = new EventLoopGroup(2);
    }

    void device(Map<String, String> more, Duration halfOpen) throws Exception {
        Map<String, String> attributes = new HashMap<>(more);
        attributes.put("cid", "3");
        attributes.put("path", path().toString());
        device = VsockDevice.create("vsock0", VsockSettings.of(attributes), loops, halfOpen);
    }

    void drive(long features) throws Exception {
        driver = new VsockDriver(device, features);
    }

    void drive() throws Exception {
        device(Map.of(), Connections.HALF_OPEN);
        drive(Feature.VERSION_1);
    }

    @AfterEach
    void end() throws IOException {
        if (driver != null) {
            driver.close();
        }
        if (device != null) {
            device.close();
            assertThat(path()).doesNotExist();
        }
        loops.close();
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    Path path() {
        return folder.resolve("v.sock");
    }

    SocketChannel connect(String greeting) throws IOException {
        SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path()));
        write(client, greeting);
        return client;
    }

    ServerSocketChannel listen(int port) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(path() + "_" + Integer.toUnsignedString(port)));
        return server;
    }

    static void write(SocketChannel channel, String text) throws IOException {
        write(channel, text.getBytes(StandardCharsets.UTF_8));
    }

    static void write(SocketChannel channel, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            int _ = channel.write(buffer);
        }
    }

    static byte[] read(SocketChannel channel, int byteCount) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(byteCount);
        while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
            // All of it.
        }
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    /** No more comes: the end of the stream, or a reset where something was left unread. */
    static void assertEnds(SocketChannel channel) {
        int read;
        try {
            read = channel.read(ByteBuffer.allocate(1));
        } catch (IOException e) {
            read = -1;
        }
        assertThat(read).isEqualTo(-1);
    }

    static String readText(SocketChannel channel, int byteCount) throws IOException {
        return new String(read(channel, byteCount), StandardCharsets.UTF_8);
    }

    /** A connection that the host began, with the guest's answer. */
    Packet accept(SocketChannel client) throws Exception {
        Packet request = driver.next(VsockPacket.OP_REQUEST);
        driver.send(request.answer(VsockPacket.OP_RESPONSE));
        String expected = "OK " + Integer.toUnsignedString(request.srcPort()) + "\n";
        assertThat(readText(client, expected.length())).isEqualTo(expected);
        return request;
    }

    /** A connection that the guest began, with the host's end of it. */
    SocketChannel open(ServerSocketChannel server, int guestPort) throws Exception {
        driver.send(Packet.of(guestPort, PORT, VsockPacket.OP_REQUEST));
        Packet response = driver.next(VsockPacket.OP_RESPONSE);
        assertThat(response.srcPort()).isEqualTo(PORT);
        assertThat(response.dstPort()).isEqualTo(guestPort);
        assertThat(response.srcCid()).isEqualTo(VsockPacket.CID_HOST);
        assertThat(response.bufAlloc()).isEqualTo(Connection.BUFFER_BYTES);
        return server.accept();
    }
}
