package io.fairlead.systemtests;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A program of the host that reaches a guest's port by a socket device's path. */
final class VsockClient {
    private VsockClient() {}

    /**
     * Connects, sends everything and its end, and reads to the end.
     *
     * @throws IOException where nobody listens there
     */
    static byte[] exchange(Path path, int port, byte[] content) throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            write(channel, "CONNECT %d\n".formatted(port).getBytes(StandardCharsets.US_ASCII));
            String answer = line(channel);
            if (!answer.matches("OK [0-9]+")) {
                throw new IOException("nobody listens at the guest's port %d: '%s'".formatted(port, answer));
            }
            try {
                write(channel, content);
                channel.shutdownOutput();
            } catch (IOException e) {
                // The guest takes no more; what it said is still there.
            }
            return readAll(channel);
        }
    }

    static void write(SocketChannel channel, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            int _ = channel.write(buffer);
        }
    }

    private static String line(SocketChannel channel) throws IOException {
        StringBuilder text = new StringBuilder();
        ByteBuffer one = ByteBuffer.allocate(1);
        while (channel.read(one.clear()) > 0 && one.get(0) != '\n') {
            text.append((char) one.get(0));
        }
        return text.toString();
    }

    /** Up to the end; one by a reset counts as well. */
    static byte[] readAll(SocketChannel channel) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer piece = ByteBuffer.allocate(64 << 10);
        try {
            while (channel.read(piece.clear()) >= 0) {
                all.write(piece.array(), 0, piece.position());
            }
        } catch (IOException e) {
            // A reset.
        }
        return all.toByteArray();
    }
}
