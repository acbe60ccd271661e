package io.fairlead.devices.vsock;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.Errno;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.UnixSocket;
import io.fairlead.linux.UnixStream;
import io.fairlead.vdpa.loop.EventLoop;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where programs of the host come to reach the guest: one says {@code CONNECT PORT}, a line, and hears {@code OK PORT}, a
 * line with the port of its own side, when somebody in the guest has accepted. On the device's loop.
 */
final class HostListener {
    private static final Logger LOG = LoggerFactory.getLogger(HostListener.class);
    private static final int MODE = 0600;
    private static final String GREETING = "CONNECT ";

    /** The longest first line, with its end: that of the largest port. */
    private static final int MAX_LINE_BYTES = GREETING.length() + 11;

    private static final long ANY_PORT = 0xffff_ffffL;

    private final String name;
    private final EventLoop loop;
    private final Connections connections;
    private final UnixSocket socket;
    private final MemorySegment line = Arena.ofAuto().allocate(MAX_LINE_BYTES + 1L);
    private boolean paused;

    HostListener(String name, Path path, EventLoop loop, Connections connections) throws IOException {
        this.name = name;
        this.loop = loop;
        this.connections = connections;
        socket = UnixSocket.listen(path, MODE);
        try {
            watch();
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    private void watch() throws IOException {
        loop.register(socket.fd().raw(), Epoll.EPOLLIN, _ -> accept());
    }

    private void accept() {
        try {
            UnixStream stream = socket.acceptNow();
            if (stream == null) {
                return;
            }
            if (connections.isFull()) {
                connections.counters().refused.increment();
                stream.close();
                return;
            }
            connections.awaitEnd(connections.add(stream, Connection.State.GREETING));
        } catch (IOException e) {
            LOG.warn("{}: a program of the host cannot connect for now: {}", name, e.getMessage());
            if (e instanceof LinuxException failure && failure.errno() != Errno.ECONNABORTED) {
                pause();
            }
        }
    }

    /** Not to be told of the same again and again. */
    private void pause() {
        try {
            loop.unregister(socket.fd().raw());
            paused = true;
            connections.setTimer();
        } catch (IOException e) {
            LOG.error("{}: {}", name, e.getMessage());
        }
    }

    /**
     * Accepts again after a failure; called now and then.
     *
     * @return whether that is to be tried again
     */
    boolean retry() {
        if (paused) {
            try {
                watch();
                paused = false;
            } catch (IOException e) {
                LOG.warn("{}: {}", name, e.getMessage());
            }
        }
        return paused;
    }

    /** Reads a program's first line as far as it is there, and not what follows. */
    void greet(Connection connection) {
        UnixStream stream = connection.stream();
        if (stream == null) {
            return;
        }
        IovecWindow window = connections.window();
        window.of(line, 0, MAX_LINE_BYTES, 0);
        long there = stream.peek(window.address(), window.count());
        if (there == -Errno.EAGAIN) {
            return;
        }
        int end = -1;
        for (int i = 0; i < there && end < 0; i++) {
            end = line.get(ValueLayout.JAVA_BYTE, i) == '\n' ? i : -1;
        }
        if (end < 0) {
            if (there <= 0 || there == MAX_LINE_BYTES) {
                refuse(connection);
            }
            return;
        }
        byte[] text = line.asSlice(0, end).toArray(ValueLayout.JAVA_BYTE);
        long port = port(new String(text, StandardCharsets.ISO_8859_1));
        window.of(line, 0, end + 1L, 0);
        if (port < 0 || stream.receive(window.address(), window.count()) != end + 1) {
            refuse(connection);
            return;
        }
        connections.request(connection, (int) port);
    }

    private void refuse(Connection connection) {
        connections.counters().refused.increment();
        connections.giveUp(connection);
    }

    /** The port that a first line asks for; -1 where it is none. */
    static long port(String line) {
        if (!line.startsWith(GREETING)) {
            return -1;
        }
        String digits = line.substring(GREETING.length());
        if (digits.isEmpty() || digits.length() > 10 || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return -1;
        }
        long port = Long.parseLong(digits);
        return port < ANY_PORT ? port : -1;
    }

    /** Says that somebody in the guest has accepted; returns false where nobody hears it. */
    boolean welcome(Connection connection) {
        UnixStream stream = connection.stream();
        if (stream == null) {
            return false;
        }
        byte[] text = ("OK " + connection.hostPort + "\n").getBytes(StandardCharsets.US_ASCII);
        MemorySegment.copy(text, 0, line, ValueLayout.JAVA_BYTE, 0, text.length);
        connections.window().of(line, 0, text.length, 0);
        // Nothing was sent before: there is room.
        return stream.send(connections.window().address(), connections.window().count()) == text.length;
    }

    void close() {
        if (!paused) {
            try {
                loop.unregister(socket.fd().raw());
            } catch (IOException e) {
                LOG.warn("{}: {}", name, e.getMessage());
            }
        }
        socket.close();
    }
}
