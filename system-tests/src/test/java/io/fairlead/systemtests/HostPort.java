package io.fairlead.systemtests;

import io.fairlead.vdpa.loop.Waiting;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/** A program of the host at a port that guests reach by a socket device. */
final class HostPort implements AutoCloseable {
    /** What it does with a connection. */
    private interface Service {
        void serve(SocketChannel channel) throws IOException;
    }

    private final ServerSocketChannel server;
    private final Thread thread;
    private final AtomicInteger served = new AtomicInteger();

    private HostPort(Path path, int port, Service service) throws IOException {
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(path + "_" + port));
        thread = Thread.ofPlatform().daemon().start(() -> run(service));
    }

    /** Reads everything, and says its sum. */
    static HostPort sums(Path path, int port) throws IOException {
        return new HostPort(path, port, channel -> say(channel, RootImage.sha256(VsockClient.readAll(channel)) + "\n"));
    }

    /** Says something, and goes. */
    static HostPort bye(Path path, int port) throws IOException {
        return new HostPort(path, port, channel -> say(channel, "bye"));
    }

    /** Says something, and stays until the other end goes. */
    static HostPort hello(Path path, int port) throws IOException {
        return new HostPort(path, port, channel -> {
            say(channel, "hello");
            byte[] _ = VsockClient.readAll(channel);
        });
    }

    private static void say(SocketChannel channel, String text) throws IOException {
        VsockClient.write(channel, text.getBytes(StandardCharsets.UTF_8));
    }

    private void run(Service service) {
        while (server.isOpen()) {
            try {
                SocketChannel channel = server.accept();
                served.incrementAndGet();
                Thread _ = Thread.ofPlatform().daemon().start(() -> serve(service, channel));
            } catch (IOException e) {
                // Closed.
            }
        }
    }

    private static void serve(Service service, SocketChannel channel) {
        try (channel) {
            service.serve(channel);
        } catch (IOException e) {
            // The other end is gone.
        }
    }

    /** Connections that were accepted. */
    int served() {
        return served.get();
    }

    @Override
    public void close() throws IOException {
        server.close();
        Waiting.join(thread);
    }
}
