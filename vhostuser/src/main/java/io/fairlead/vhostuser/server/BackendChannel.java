package io.fairlead.vhostuser.server;

import io.fairlead.linux.Fd;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vhostuser.protocol.Connection;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * The channel on which a back-end speaks first: here, that the configuration space changed. No answer is asked for, so a
 * client that does not listen cannot hold the device up. Thread-safe.
 */
final class BackendChannel implements AutoCloseable {
    private static final int CONFIG_CHANGE = 2;

    /** A client that reads nothing fills the socket; then the word is lost and not the device held up. */
    private static final int SEND_TIMEOUT_MILLIS = 1000;

    private final UnixSocket socket;

    /** @param fd owned by the channel, closed also where this fails: it may be no socket */
    BackendChannel(Fd fd) throws LinuxException {
        socket = UnixSocket.adopt(fd);
        try {
            socket.sendTimeout(SEND_TIMEOUT_MILLIS);
        } catch (LinuxException e) {
            socket.close();
            throw e;
        }
    }

    synchronized void sendConfigChanged() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment message = arena.allocate(Connection.HEADER_BYTES, 4);
            message.set(ValueLayout.JAVA_INT, 0, CONFIG_CHANGE);
            message.set(ValueLayout.JAVA_INT, 4, Connection.VERSION);
            socket.sendAll(message, 0, Connection.HEADER_BYTES, List.of());
        }
    }

    @Override
    public synchronized void close() throws IOException {
        socket.close();
    }
}
