package io.fairlead.cli.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A program of a host that the guest connects to by its socket device: keeps the lines that it is told. Thread-safe. */
final class HostProgram implements AutoCloseable {
    /** Its port for the guest. */
    static final int PORT = 7;

    private final Path socket;
    private final ServerSocketChannel server;
    private final List<String> heard = new CopyOnWriteArrayList<>();

    /** @param sockets of the host for the guest, as the device has it */
    HostProgram(Path sockets) throws IOException {
        socket = sockets.resolveSibling(sockets.getFileName() + "_" + PORT);
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        Thread _ = Thread.ofPlatform().daemon().name("fairlead-demo-program").start(this::listen);
    }

    private void listen() {
        while (true) {
            try (SocketChannel client = server.accept();
                    BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
                lines.lines().forEach(heard::add);
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                heard.add("broke off: " + e.getMessage());
                return;
            }
        }
    }

    /** What it was told before and after the moves. */
    DemoReport.Check check() {
        boolean all = heard.equals(List.of("here", "back"));
        return new DemoReport.Check(
                "host: sockets", all, all ? "what the guest said before and after the moves" : heard.toString());
    }

    @Override
    public void close() throws IOException {
        server.close();
        Files.deleteIfExists(socket);
    }
}
