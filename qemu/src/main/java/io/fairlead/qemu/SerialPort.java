package io.fairlead.qemu;

import java.io.IOException;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Our end of a guest's serial port: a Unix socket that QEMU connects to, so that nothing of the guest's output is lost.
 * What arrives goes to a log file and, cut into lines, to listeners and waiters. Both are bounded: a line is cut at
 * {@link #MAX_LINE_BYTES}, the log ends at {@link #MAX_LOG_BYTES}, and only the latest lines are kept. Any thread may
 * use it; listeners run on the reader's thread.
 *
 * <p>A guest that moves to another QEMU keeps its port: several QEMUs may be connected, of which one runs the guest. What
 * they send is one stream, all of an earlier one's before anything of a later one's, so that a line that was begun there
 * may end here. The stream ends when the last of them has ended.
 */
public final class SerialPort implements AutoCloseable {
    /** A longer line is cut into several. */
    public static final int MAX_LINE_BYTES = 64 << 10;

    /** Where the log file ends. */
    public static final long MAX_LOG_BYTES = 64L << 20;

    private static final Logger LOG = LoggerFactory.getLogger(SerialPort.class);
    private static final int LINES_KEPT = 50_000;
    private static final int WRITE_POLL_MILLIS = 5;

    private final Path socket;
    private final Path log;
    private final ServerSocketChannel server;
    private final Selector selector;
    private final History<String> lines = new History<>(LINES_KEPT);
    private final LineCutter cutter = new LineCutter(MAX_LINE_BYTES, lines::add);
    private final ByteBuffer buffer = ByteBuffer.allocate(16 << 10);
    /** Those that are connected, in the order of their coming. */
    private final List<SocketChannel> connections = new CopyOnWriteArrayList<>();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition targetChanged = lock.newCondition();
    private final Object writeLock = new Object();
    private final AtomicInteger owners = new AtomicInteger(1);
    private final Thread reader;
    private long loggedBytes;
    private @Nullable SocketChannel target;
    private boolean ended;

    private SerialPort(Path socket, Path log, ServerSocketChannel server, Selector selector) {
        this.socket = socket;
        this.log = log;
        this.server = server;
        this.selector = selector;
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
        Selector selector = null;
        try {
            server.bind(UnixDomainSocketAddress.of(socket), 1);
            server.configureBlocking(false);
            selector = Selector.open();
            SelectionKey _ = server.register(selector, SelectionKey.OP_ACCEPT);
        } catch (IOException e) {
            server.close();
            if (selector != null) {
                selector.close();
            }
            throw new IOException("Cannot listen on " + socket + ": " + e.getMessage(), e);
        }
        SerialPort port = new SerialPort(socket, log, server, selector);
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
     * @throws IOException where QEMU did not connect or the guest did not take it in time, or QEMU is gone
     */
    public void write(String text, Duration timeout) throws IOException {
        long deadlineNanos = System.nanoTime() + timeout.toNanos();
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        try {
            SocketChannel channel = awaitTarget(deadlineNanos);
            synchronized (writeLock) {
                while (bytes.hasRemaining()) {
                    if (channel.write(bytes) == 0) {
                        if (System.nanoTime() > deadlineNanos) {
                            throw new IOException("The guest does not read from its serial port " + socket);
                        }
                        // The reader has the selector; this is no data path.
                        TimeUnit.MILLISECONDS.sleep(WRITE_POLL_MILLIS);
                    }
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while writing to the serial port " + socket, e);
        }
    }

    private SocketChannel awaitTarget(long deadlineNanos) throws IOException, InterruptedException {
        lock.lockInterruptibly();
        try {
            while (true) {
                SocketChannel channel = target;
                if (channel != null) {
                    return channel;
                }
                long leftNanos = deadlineNanos - System.nanoTime();
                if (ended || leftNanos <= 0) {
                    throw new IOException("No machine is connected to the serial port " + socket);
                }
                long _ = targetChanged.awaitNanos(leftNanos);
            }
        } finally {
            lock.unlock();
        }
    }

    /** What is written from now on goes to the QEMU that connected last. The first one is written to until then. */
    void writeToLatest() {
        lock.lock();
        try {
            if (!connections.isEmpty()) {
                target = connections.getLast();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Waits until everything that the guest wrote has been read; false where time ran out. */
    public boolean awaitEnd(Duration timeout) throws InterruptedException {
        return reader.join(timeout);
    }

    /** One more owner, who closes it too. */
    void retain() {
        if (owners.getAndIncrement() <= 0) {
            throw new IllegalStateException("The serial port " + socket + " is closed");
        }
    }

    /** Closes it where this is the last owner. */
    @Override
    public void close() throws IOException {
        if (owners.decrementAndGet() != 0) {
            return;
        }
        // The reader ends when its selector is closed, and closes what is connected.
        selector.close();
        server.close();
        Files.deleteIfExists(socket);
    }

    private void read() {
        try (OutputStream file = Files.newOutputStream(log)) {
            boolean first = true;
            while (first || !connections.isEmpty()) {
                int _ = selector.select();
                // A guest that is heard of a later QEMU runs no more in an earlier one: all that came of that one is
                // there by now, and goes first.
                List<SocketChannel> ready = upToLastSelected();
                selector.selectedKeys().clear();
                for (SocketChannel channel : ready) {
                    drain(channel, file);
                }
                first &= !acceptAll();
            }
        } catch (ClosedSelectorException e) {
            LOG.trace("The serial port {} is closed", socket, e);
        } catch (IOException e) {
            LOG.debug("The serial port {} ended", socket, e);
        } finally {
            cutter.finish();
            lines.end();
            connections.forEach(this::forget);
            lock.lock();
            try {
                ended = true;
                targetChanged.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    private List<SocketChannel> upToLastSelected() {
        List<SocketChannel> all = List.copyOf(connections);
        int count = all.size();
        while (count > 0 && !selector.selectedKeys().contains(all.get(count - 1).keyFor(selector))) {
            count--;
        }
        return all.subList(0, count);
    }

    /** Whether there was one. */
    private boolean acceptAll() throws IOException {
        boolean any = false;
        for (SocketChannel channel = server.accept(); channel != null; channel = server.accept()) {
            any = true;
            channel.configureBlocking(false);
            SelectionKey _ = channel.register(selector, SelectionKey.OP_READ);
            lock.lock();
            try {
                connections.add(channel);
                if (target == null) {
                    target = channel;
                    targetChanged.signalAll();
                }
            } finally {
                lock.unlock();
            }
        }
        return any;
    }

    private void drain(SocketChannel channel, OutputStream file) throws IOException {
        try {
            int length = channel.read(buffer.clear());
            while (length > 0) {
                int wanted = (int) Math.min(length, MAX_LOG_BYTES - loggedBytes);
                file.write(buffer.array(), 0, wanted);
                loggedBytes += wanted;
                cutter.take(buffer.array(), length);
                length = channel.read(buffer.clear());
            }
            if (length == 0) {
                return;
            }
        } catch (IOException e) {
            LOG.debug("A connection of the serial port {} broke", socket, e);
        }
        forget(channel);
    }

    private void forget(SocketChannel channel) {
        lock.lock();
        try {
            connections.remove(channel);
            if (channel.equals(target)) {
                target = connections.isEmpty() ? null : connections.getLast();
            }
        } finally {
            lock.unlock();
        }
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("Cannot close a connection of the serial port {}", socket, e);
        }
    }
}
