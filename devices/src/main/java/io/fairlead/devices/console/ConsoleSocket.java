package io.fairlead.devices.console;

import io.fairlead.vdpa.loop.Waiting;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A console at a Unix socket, for one client at a time; another is turned away. What the guest put out last is kept for
 * whoever connects next. A client that does not read holds nobody up: the oldest output is lost. One thread serves it.
 */
final class ConsoleSocket implements ConsoleHost {
    private static final Logger LOG = LoggerFactory.getLogger(ConsoleSocket.class);
    private static final int RING_BYTES = 64 << 10;
    private static final int PIECE_BYTES = 8 << 10;

    private final String name;
    private final Path path;
    private final ServerSocketChannel server;
    private final Selector selector;
    private final ByteRing output = new ByteRing(RING_BYTES);
    private final ByteRing input = new ByteRing(RING_BYTES);
    private final ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);
    private final byte[] bytes = new byte[PIECE_BYTES];
    private final Thread thread;
    private volatile Runnable onInput = () -> {};
    private volatile boolean closed;

    /** The thread's alone. */
    private @Nullable SocketChannel client;

    /** @throws IOException where the socket cannot be made */
    ConsoleSocket(String name, Path path) throws IOException {
        this.name = name;
        this.path = path;
        Files.deleteIfExists(path);
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(path));
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
            server.configureBlocking(false);
            selector = Selector.open();
            SelectionKey _ = server.register(selector, SelectionKey.OP_ACCEPT);
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
        thread = Thread.ofPlatform().daemon().name(name + "-console").start(this::run);
    }

    private void run() {
        try {
            while (!closed) {
                interest();
                int _ = selector.select();
                for (SelectionKey key : selector.selectedKeys()) {
                    serve(key);
                }
                selector.selectedKeys().clear();
            }
        } catch (IOException e) {
            LOG.error("{}: nobody can connect any more: {}", name, e.getMessage());
        } finally {
            leave("the device is closed");
            close(selector);
            close(server);
        }
    }

    /** Looks for what can be done now. */
    private void interest() {
        SocketChannel served = client;
        if (served != null) {
            SelectionKey key = served.keyFor(selector);
            if (key != null && key.isValid()) {
                key.interestOps((input.room() > 0 ? SelectionKey.OP_READ : 0)
                        | (output.count() > 0 ? SelectionKey.OP_WRITE : 0));
            }
        }
    }

    private void serve(SelectionKey key) throws IOException {
        if (!key.isValid()) {
            return;
        }
        if (key.isAcceptable()) {
            accept();
            return;
        }
        SocketChannel served = (SocketChannel) key.channel();
        try {
            if (key.isReadable()) {
                read(served);
            }
            if (key.isValid() && key.isWritable()) {
                write(served);
            }
        } catch (IOException e) {
            leave(String.valueOf(e.getMessage()));
        }
    }

    private void accept() throws IOException {
        SocketChannel accepted = server.accept();
        if (accepted == null) {
            return;
        }
        if (client != null) {
            LOG.info("{}: a second client at {} is turned away", name, path);
            accepted.close();
            return;
        }
        accepted.configureBlocking(false);
        SelectionKey _ = accepted.register(selector, 0);
        client = accepted;
    }

    private void read(SocketChannel from) throws IOException {
        piece.clear().limit(Math.min(PIECE_BYTES, input.room()));
        int count = from.read(piece);
        if (count < 0) {
            leave("the client has gone");
        } else if (count > 0) {
            piece.flip().get(bytes, 0, count);
            input.put(bytes, 0, count);
            onInput.run();
        }
    }

    private void write(SocketChannel to) throws IOException {
        piece.clear();
        long position = output.peek(piece);
        piece.flip();
        output.dropTo(position + to.write(piece));
    }

    private void leave(String reason) {
        SocketChannel gone = client;
        client = null;
        if (gone != null) {
            LOG.debug("{}: {}", name, reason);
            close(gone);
        }
    }

    private void close(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception e) {
            LOG.debug("{}: closing failed", name, e);
        }
    }

    @Override
    public ByteRing output() {
        return output;
    }

    @Override
    public ByteRing input() {
        return input;
    }

    @Override
    public void outputCame() {
        Selector _ = selector.wakeup();
    }

    @Override
    public void inputTaken() {
        Selector _ = selector.wakeup();
    }

    @Override
    public void onInput(Runnable listener) {
        onInput = listener;
    }

    @Override
    public void close() {
        closed = true;
        Selector _ = selector.wakeup();
        Waiting.join(thread);
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.warn("{}: {} is left behind: {}", name, path, e.getMessage());
        }
    }
}
