package io.fairlead.vhostuser.client;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.Request;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Our side of a vhost-user socket: sends requests and takes their replies, each within a limited time, and checks the form
 * of what comes. Knows little of what messages mean.
 *
 * <p>Every failure to understand each other is a {@link BackendLostException} that names the device, the socket and what
 * was asked. One thread at a time; {@link #shutdown} any.
 */
final class BackendConnection implements AutoCloseable {
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final UnixSocket socket;
    private final String peer;
    private final Duration answerTimeout;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment out = arena.allocate(Connection.HEADER_BYTES + Payload.MAX_BYTES, 8);
    private final MemorySegment in = arena.allocate(Connection.HEADER_BYTES + Payload.MAX_BYTES, 8);
    private final List<Fd> received = new ArrayList<>();
    private boolean acknowledges;

    /**
     * @param socket owned by the connection
     * @param peer the device and the socket's path, for messages
     */
    BackendConnection(UnixSocket socket, String peer, Duration answerTimeout) throws IOException {
        this.socket = socket;
        this.peer = peer;
        this.answerTimeout = answerTimeout;
        socket.sendTimeout(Math.toIntExact(answerTimeout.toMillis()));
    }

    /** @throws IOException where nobody listens, or the listener's queue stays full */
    static BackendConnection connect(Path path, String peer, Duration answerTimeout) throws IOException {
        UnixSocket socket;
        try {
            socket = UnixSocket.connect(path, Math.toIntExact(answerTimeout.toMillis()));
        } catch (LinuxException e) {
            throw new IOException(
                    "%s: no daemon answers (%s); start it, or name its socket".formatted(peer, e.getMessage()), e);
        }
        try {
            return new BackendConnection(socket, peer, answerTimeout);
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    /** From now on commands are acknowledged (REPLY_ACK), else each is followed by a question. */
    void acknowledges(boolean negotiated) {
        acknowledges = negotiated;
    }

    int raw() {
        return socket.fd().raw();
    }

    /** Where the payload of the next message is written. */
    MemorySegment payload() {
        return out.asSlice(Connection.HEADER_BYTES);
    }

    BackendLostException lost(String what, @Nullable Throwable cause) {
        return new BackendLostException(peer + ": " + what, cause);
    }

    BackendLostException violation(String what) {
        return new BackendLostException(peer + ": the daemon broke the protocol: " + what, null);
    }

    // ---- commands and questions ----

    /**
     * Sends a request without a reply of its own and waits until the daemon has taken it.
     *
     * @throws IOException where the daemon refuses it; the connection stays of use
     */
    void command(Request request, int payloadBytes, List<Fd> beside) throws IOException {
        sendCommand(request, payloadBytes, beside);
        finishCommand(request);
    }

    /** The first half of {@link #command}. */
    void sendCommand(Request request, int payloadBytes, List<Fd> beside) throws BackendLostException {
        send(request, acknowledges ? Connection.FLAG_NEED_REPLY : 0, payloadBytes, beside);
    }

    /** The second half of {@link #command}. */
    void finishCommand(Request request) throws IOException {
        if (!acknowledges) {
            // Messages are handled in their order: who answers a later question has taken this one.
            send(Request.GET_FEATURES, 0, 0, List.of());
            u64(Request.GET_FEATURES);
            return;
        }
        long result = u64(request);
        if (result != 0) {
            throw new IOException(
                    "%s: the daemon refused %s (answer %s)".formatted(peer, request, Long.toUnsignedString(result)));
        }
    }

    void commandU64(Request request, long value, List<Fd> beside) throws IOException {
        payload().set(ValueLayout.JAVA_LONG_UNALIGNED, 0, value);
        command(request, Long.BYTES, beside);
    }

    void command(Request request, Payload.VringState state) throws IOException {
        state.write(payload());
        command(request, Payload.VRING_STATE_BYTES, List.of());
    }

    /** Sends a question and waits for its answer of one number. */
    long askU64(Request request) throws BackendLostException {
        send(request, 0, 0, List.of());
        return u64(request);
    }

    private long u64(Request request) throws BackendLostException {
        MemorySegment answer = receive(request, answerTimeout);
        requireNoDescriptors(request);
        if (answer.byteSize() != Long.BYTES) {
            throw violation("the answer to %s has %d bytes, not 8".formatted(request, answer.byteSize()));
        }
        return Payload.u64(answer);
    }

    // ---- messages ----

    /** Sends the first {@code payloadBytes} of {@link #payload}. */
    void send(Request request, int flags, int payloadBytes, List<Fd> beside) throws BackendLostException {
        out.set(ValueLayout.JAVA_INT, 0, request.code);
        out.set(ValueLayout.JAVA_INT, 4, Connection.VERSION | flags);
        out.set(ValueLayout.JAVA_INT, 8, payloadBytes);
        try {
            socket.sendAll(out, 0, Connection.HEADER_BYTES + payloadBytes, beside);
        } catch (LinuxException | IllegalStateException e) {
            throw lost("the daemon does not take %s: %s".formatted(request, e.getMessage()), e);
        }
    }

    /** Waits for the answer to a request; its payload is valid until the next message. */
    MemorySegment receive(Request request) throws BackendLostException {
        return receive(request, answerTimeout);
    }

    MemorySegment receive(Request request, Duration timeout) throws BackendLostException {
        long deadline = System.nanoTime() + timeout.toNanos();
        closeReceived();
        fill(request, 0, Connection.HEADER_BYTES, deadline, timeout);
        int code = in.get(ValueLayout.JAVA_INT, 0);
        int flags = in.get(ValueLayout.JAVA_INT, 4);
        int byteCount = in.get(ValueLayout.JAVA_INT, 8);
        // Some daemons leave NEED_REPLY set in what they answer.
        if ((flags & ~Connection.FLAG_NEED_REPLY) != (Connection.VERSION | Connection.FLAG_REPLY)) {
            throw violation("the answer to %s has flags 0x%x".formatted(request, flags));
        }
        if (code != request.code) {
            throw violation("message %s came as answer to %s".formatted(Integer.toUnsignedString(code), request));
        }
        if (byteCount < 0 || byteCount > Payload.MAX_BYTES) {
            throw violation("the answer to %s announces %s bytes, at most %d are allowed"
                    .formatted(request, Integer.toUnsignedString(byteCount), Payload.MAX_BYTES));
        }
        fill(request, Connection.HEADER_BYTES, byteCount, deadline, timeout);
        return in.asSlice(Connection.HEADER_BYTES, byteCount);
    }

    private void fill(Request request, long offset, int byteCount, long deadline, Duration timeout)
            throws BackendLostException {
        int filled = 0;
        while (filled < byteCount) {
            long millis = (deadline - System.nanoTime()) / NANOS_PER_MILLI;
            int count;
            try {
                if (millis <= 0) {
                    throw silent(request, timeout);
                }
                socket.receiveTimeout((int) millis);
                count = socket.receive(in, offset + filled, byteCount - filled, received);
            } catch (LinuxException e) {
                if (e.errno() == Errno.EAGAIN) {
                    throw silent(request, timeout);
                }
                throw lost("the connection failed while %s was asked: %s".formatted(request, e.getMessage()), e);
            } catch (BackendLostException e) {
                throw e;
            } catch (IOException | IllegalStateException e) {
                throw lost("the connection failed while %s was asked: %s".formatted(request, e.getMessage()), e);
            }
            if (count == 0) {
                throw new BackendLostException(
                        "%s: the daemon closed the connection while %s was asked".formatted(peer, request), null);
            }
            filled += count;
        }
    }

    private BackendLostException silent(Request request, Duration timeout) {
        return new BackendLostException(
                "%s: the daemon did not answer %s within %d ms; is it stopped, or does it serve somebody else?"
                        .formatted(peer, request, timeout.toMillis()),
                null);
    }

    void requireNoDescriptors(Request request) throws BackendLostException {
        if (!received.isEmpty()) {
            throw violation("the answer to %s came with %d descriptors".formatted(request, received.size()));
        }
    }

    /** Takes ownership of the one descriptor that came with the last answer. */
    Fd takeDescriptor(Request request) throws BackendLostException {
        if (received.size() != 1) {
            throw violation("the answer to %s came with %d descriptors, not 1".formatted(request, received.size()));
        }
        return received.removeFirst();
    }

    private void closeReceived() {
        received.forEach(Fd::close);
        received.clear();
    }

    /** Ends a wait on another thread. */
    void shutdown() {
        socket.shutdown();
    }

    @Override
    public void close() {
        closeReceived();
        socket.close();
        arena.close();
    }
}
