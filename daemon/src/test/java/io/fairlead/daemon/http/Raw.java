package io.fairlead.daemon.http;

import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A connection that sends whatever a test wants. */
final class Raw implements AutoCloseable {
    private final SocketChannel channel;

    private Raw(SocketChannel channel) {
        this.channel = channel;
    }

    static Raw connect(Path socket) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(socket));
        return new Raw(channel);
    }

    /** One request on a connection of its own; the whole answer. */
    static String ask(Path socket, String request) throws IOException {
        try (Raw raw = connect(socket)) {
            raw.send(request);
            return raw.readAll();
        }
    }

    static String get(Path socket, String path) throws IOException {
        return ask(socket, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }

    static String send(Path socket, String method, String path, String type, String body) throws IOException {
        return ask(
                socket,
                "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                        .formatted(method, path, type, body.getBytes(StandardCharsets.UTF_8).length, body));
    }

    void send(String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    void halfClose() throws IOException {
        channel.shutdownOutput();
    }

    /** Until the other end closes; a reset counts as the end. */
    String readAll() throws IOException {
        StringBuilder text = new StringBuilder();
        try {
            InputStream in = Channels.newInputStream(channel);
            byte[] some = new byte[8192];
            for (int n = in.read(some); n >= 0; n = in.read(some)) {
                text.append(new String(some, 0, n, StandardCharsets.UTF_8));
            }
        } catch (IOException e) {
            text.append("[").append(e.getMessage()).append("]");
        }
        return text.toString();
    }

    /** Until some text has come. */
    String readUntil(String end) throws IOException {
        StringBuilder text = new StringBuilder();
        ByteBuffer one = ByteBuffer.allocate(1);
        while (text.indexOf(end) < 0) {
            one.clear();
            if (channel.read(one) < 0) {
                throw new IOException("ended after: " + text);
            }
            text.append((char) one.get(0));
        }
        return text.toString();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
