package io.fairlead.vhostuser.protocol;

import io.fairlead.linux.Fd;
import io.fairlead.linux.UnixSocket;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Frames messages on a vhost-user socket: a header of three {@code u32} (request, flags, payload bytes), the payload, and
 * descriptors beside it. Knows nothing of what messages mean.
 *
 * <p>One thread receives. Replies are sent by the same thread.
 */
public final class Connection implements AutoCloseable {
    public static final int HEADER_BYTES = 12;
    public static final int VERSION = 1;
    public static final int FLAG_REPLY = 1 << 2;
    public static final int FLAG_NEED_REPLY = 1 << 3;
    private static final int VERSION_MASK = 3;

    private final UnixSocket socket;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment message = arena.allocate(HEADER_BYTES + Payload.MAX_BYTES, 8);
    private final List<Fd> descriptors = new ArrayList<>();
    private int payloadBytes;

    /** @param socket owned by the connection */
    public Connection(UnixSocket socket) {
        this.socket = socket;
    }

    /**
     * Waits for the next message.
     *
     * @return false at the end of the stream between two messages
     * @throws ProtocolException where the header is wrong or the stream ends within a message
     */
    public boolean receive() throws IOException, ProtocolException {
        closeDescriptors();
        if (!fill(0, HEADER_BYTES)) {
            return false;
        }
        int version = flags() & VERSION_MASK;
        if (version != VERSION) {
            throw new ProtocolException("message of protocol version " + version + ", not " + VERSION);
        }
        if ((flags() & FLAG_REPLY) != 0) {
            throw new ProtocolException("a reply came where a request was due");
        }
        int announced = message.get(ValueLayout.JAVA_INT, 8);
        if (announced < 0 || announced > Payload.MAX_BYTES) {
            throw new ProtocolException("message %d announces %s bytes of payload, at most %d are allowed"
                    .formatted(request(), Integer.toUnsignedString(announced), Payload.MAX_BYTES));
        }
        payloadBytes = announced;
        if (announced > 0 && !fill(HEADER_BYTES, announced)) {
            throw new ProtocolException("the stream ends within message " + request());
        }
        return true;
    }

    /** @return false where the stream ended before the first byte */
    private boolean fill(long offset, int byteCount) throws IOException, ProtocolException {
        int filled = 0;
        while (filled < byteCount) {
            int count = socket.receive(message, offset + filled, byteCount - filled, descriptors);
            if (count == 0) {
                if (filled == 0) {
                    return false;
                }
                throw new ProtocolException("the stream ends within a message");
            }
            filled += count;
        }
        return true;
    }

    public int request() {
        return message.get(ValueLayout.JAVA_INT, 0);
    }

    private int flags() {
        return message.get(ValueLayout.JAVA_INT, 4);
    }

    public boolean needsReply() {
        return (flags() & FLAG_NEED_REPLY) != 0;
    }

    /** The payload of the last message; overwritten by the next one and by replies. */
    public MemorySegment payload() {
        return message.asSlice(HEADER_BYTES, payloadBytes);
    }

    public int descriptorCount() {
        return descriptors.size();
    }

    /** Takes ownership of the first descriptor of the last message that nobody took; the rest is closed with the message. */
    public Fd takeDescriptor() {
        return descriptors.removeFirst();
    }

    /** Answers the last message with the first {@code byteCount} bytes of {@link #replyPayload}. */
    public void reply(int byteCount, List<Fd> beside) throws IOException {
        message.set(ValueLayout.JAVA_INT, 4, VERSION | FLAG_REPLY);
        message.set(ValueLayout.JAVA_INT, 8, byteCount);
        socket.sendAll(message, 0, HEADER_BYTES + byteCount, beside);
    }

    /** Where the payload of a reply is written. */
    public MemorySegment replyPayload() {
        return message.asSlice(HEADER_BYTES);
    }

    public void reply(long value) throws IOException {
        replyPayload().set(ValueLayout.JAVA_LONG_UNALIGNED, 0, value);
        reply(8, List.of());
    }

    /** Ends a {@link #receive} under way on another thread. */
    public void shutdown() {
        socket.shutdown();
    }

    private void closeDescriptors() {
        descriptors.forEach(Fd::close);
        descriptors.clear();
    }

    @Override
    public void close() throws IOException {
        closeDescriptors();
        try (arena) {
            socket.close();
        }
    }
}
