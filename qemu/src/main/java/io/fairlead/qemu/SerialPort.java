package io.fairlead.qemu;

import java.io.IOException;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Our end of a guest's serial port: a Unix socket that QEMU connects to, so that nothing of the guest's output is lost.
 * What arrives goes to a log file and, cut into lines, to listeners and waiters. Both are bounded: a line is cut at
 * {@link #MAX_LINE_BYTES}, the log ends at {@link #MAX_LOG_BYTES}, and only the latest lines are kept. Any thread may
 * use it; listeners run on the reader's thread.
 */
public final class SerialPort implements AutoCloseable {
    /** A longer line is cut into several. */
    public static final int MAX_LINE_BYTES = 64 << 10;

    /** Where the log file ends. */
    public static final long MAX_LOG_BYTES = 64L << 20;

    private static final Logger LOG = LoggerFactory.getLogger(SerialPort.class);
    private static final int LINES_KEPT = 50_000;

    private final Path socket;
    private final Path log;
    private final ServerSocketChannel server;
    private final History<String> lines = new History<>(LINES_KEPT);
    private final CompletableFuture<SocketChannel> connection = new CompletableFuture<>();
    private final Object writeLock = new Object();
    private final Thread reader;

    private SerialPort(Path socket, Path log, ServerSocketChannel server) {
        this.socket = socket;
        this.log = log;
        this.server = server;
        this.reader =
                Thread.ofPlatform().daemon().name("serial-" + log.getFileName()).unstarted(this::read);
    }

    /**
     * Listens on a new socket.
     *
     * @param socket its path, at most 107 bytes; deleted by {@link #close}
     * @param log the log file, replaced where it exists
     */
    public static SerialPort listen(Path socket, Path log) throws IOException {
        UnixPaths.check(socket);
        Files.write(log, new byte[0]);
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(socket), 1);
        } catch (IOException e) {
            server.close();
            throw new IOException("Cannot listen on " + socket + ": " + e.getMessage(), e);
        }
        SerialPort port = new SerialPort(socket, log, server);
        port.reader.start();
        return port;
    }

    /** The socket to which QEMU connects. */
    public Path socket() {
        return socket;
    }

    /** The file that has everything the guest wrote. */
    public Path log() {
        return log;
    }

    /** A mark in the stream of lines: those that arrive from now on. */
    public long mark() {
        return lines.position();
    }

    /** The lines since a mark, 0 for all that are kept. */
    public List<String> linesSince(long mark) {
        return lines.from(mark);
    }

    /** Waits for the first line, also one that came before, in which a pattern is found. */
    public Optional<String> awaitLine(Pattern pattern, Duration timeout) throws InterruptedException {
        return awaitLine(0, line -> pattern.matcher(line).find(), timeout);
    }

    /**
     * Waits for the first line since a mark that fits.
     *
     * @return nothing where time ran out or the guest's end came first
     */
    public Optional<String> awaitLine(long mark, Predicate<String> wanted, Duration timeout)
            throws InterruptedException {
        return Optional.ofNullable(lines.await(mark, wanted, timeout));
    }

    /** Calls a listener for every line from now on, on the reader's thread; run the answer to stop that. */
    public Runnable addListener(Consumer<String> listener) {
        return lines.listen(line -> {
            try {
                listener.accept(line);
            } catch (RuntimeException e) {
                LOG.warn("A listener of the serial port {} failed", socket, e);
            }
        });
    }

    /**
     * Writes to the guest; waits for QEMU to connect, and for the guest to take it.
     *
     * @throws IOException where QEMU did not connect in time or is gone
     */
    public void write(String text, Duration timeout) throws IOException {
        SocketChannel channel;
        try {
            channel = connection.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException | ExecutionException e) {
            throw new IOException("No machine is connected to the serial port " + socket, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while writing to the serial port " + socket, e);
        }
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        synchronized (writeLock) {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }

    /** Waits until everything that the guest wrote has been read; false where time ran out. */
    public boolean awaitEnd(Duration timeout) throws InterruptedException {
        return reader.join(timeout);
    }

    @Override
    public void close() throws IOException {
        server.close();
        connection.completeExceptionally(new IOException("closed"));
        if (connection.isDone() && !connection.isCompletedExceptionally()) {
            connection.join().close();
        }
        Files.deleteIfExists(socket);
    }

    private void read() {
        try (SocketChannel channel = server.accept();
                OutputStream file = Files.newOutputStream(log)) {
            if (connection.complete(channel)) {
                copy(channel, file);
            }
        } catch (IOException e) {
            LOG.debug("The serial port {} ended", socket, e);
        } finally {
            lines.end();
        }
    }

    private void copy(SocketChannel channel, OutputStream file) throws IOException {
        LineCutter cutter = new LineCutter(MAX_LINE_BYTES, lines::add);
        ByteBuffer buffer = ByteBuffer.allocate(16 << 10);
        long logged = 0;
        while (channel.read(buffer.clear()) >= 0) {
            int length = buffer.position();
            int wanted = (int) Math.min(length, MAX_LOG_BYTES - logged);
            file.write(buffer.array(), 0, wanted);
            logged += wanted;
            cutter.take(buffer.array(), length);
        }
        cutter.finish();
    }
}
