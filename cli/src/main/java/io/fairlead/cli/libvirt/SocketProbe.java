package io.fairlead.cli.libvirt;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * Asks a vhost-user device at its socket whether it takes a client now. QEMU would wait for one that does not, and libvirt
 * with it, for ever.
 */
final class SocketProbe {
    private static final int GET_FEATURES = 1;
    private static final int VERSION = 1;
    private static final int HEADER_BYTES = 12;
    private static final int REPLY_BYTES = HEADER_BYTES + Long.BYTES;

    private SocketProbe() {}

    /**
     * Asks for the device's features, and goes.
     *
     * @throws IOException where nobody listens, or nobody answers in time; the message says what is wrong and what to do
     */
    static void check(Path socket, Duration timeout) throws IOException {
        if (!Files.exists(socket)) {
            throw new IOException("there is no socket %s; start what serves it".formatted(socket));
        }
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                Selector selector = Selector.open()) {
            boolean connected;
            try {
                connected = channel.connect(UnixDomainSocketAddress.of(socket));
            } catch (IOException e) {
                throw new IOException(
                        "nobody listens at %s (%s); start what serves it".formatted(socket, e.getMessage()), e);
            }
            if (!connected) {
                throw new IOException("%s does not take a connection".formatted(socket));
            }
            channel.configureBlocking(false);
            SelectionKey _ = channel.register(selector, SelectionKey.OP_READ);
            ByteBuffer question = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            question.putInt(GET_FEATURES).putInt(VERSION).putInt(0).flip();
            // A new connection's buffer has room for it.
            int _ = channel.write(question);
            ByteBuffer reply = ByteBuffer.allocate(REPLY_BYTES);
            long end = System.nanoTime() + timeout.toNanos();
            while (reply.hasRemaining()) {
                long millis = (end - System.nanoTime()) / 1_000_000;
                if (millis <= 0) {
                    throw new IOException(
                            "what listens at %s does not answer: another machine may use the device".formatted(socket));
                }
                int _ = selector.select(millis);
                selector.selectedKeys().clear();
                if (channel.read(reply) < 0) {
                    throw new IOException("what listens at %s takes no client now: another machine may use the device"
                            .formatted(socket));
                }
            }
        }
    }
}
