package io.fairlead.vhostuser.client;

import io.fairlead.linux.Fd;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** A daemon that answers as it should, but for what a test has it say. It serves no request of any ring. */
final class FakeDaemon implements AutoCloseable {
    static final long PROTOCOL = ProtocolFeature.MQ
            | ProtocolFeature.LOG_SHMFD
            | ProtocolFeature.REPLY_ACK
            | ProtocolFeature.BACKEND_REQ
            | ProtocolFeature.CONFIG
            | ProtocolFeature.CONFIGURE_MEM_SLOTS;
    static final long FEATURES =
            Feature.VERSION_1 | Feature.EVENT_IDX | Feature.VHOST_LOG_ALL | Feature.VHOST_USER_PROTOCOL_FEATURES;

    /** What goes over the socket as answer; bytes need not be a message. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Answer(byte[] bytes, List<Fd> descriptors, boolean thenClose) {
        static Answer of(byte[] bytes) {
            return new Answer(bytes, List.of(), false);
        }

        static Answer nothing() {
            return of(new byte[0]);
        }
    }

    /** @param payload of the message; may be null as an answer: as it should be */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Message(int code, int flags, byte[] payload) {}

    interface Lie {
        @Nullable
        Answer to(Message message) throws IOException;
    }

    private final UnixSocket listener;
    private final Thread thread;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(8192, 8);
    private volatile @Nullable UnixSocket client;
    private volatile @Nullable Fd channel;
    volatile Lie lie;
    volatile long protocolFeatures = PROTOCOL;
    final List<Integer> received = new CopyOnWriteArrayList<>();

    FakeDaemon(Path socket, Lie lie) throws IOException {
        this.lie = lie;
        listener = UnixSocket.listen(socket, 0600);
        thread = Thread.ofPlatform().daemon().name("fake-daemon").start(this::run);
    }

    static byte[] message(int code, int flags, byte[] payload) {
        return ByteBuffer.allocate(12 + payload.length)
                .order(ByteOrder.nativeOrder())
                .putInt(code)
                .putInt(flags)
                .putInt(payload.length)
                .put(payload)
                .array();
    }

    static byte[] reply(Message to, byte[] payload) {
        return message(to.code, Connection.VERSION | Connection.FLAG_REPLY, payload);
    }

    static byte[] u64(long value) {
        return ByteBuffer.allocate(8)
                .order(ByteOrder.nativeOrder())
                .putLong(value)
                .array();
    }

    static byte[] state(int index, int value) {
        return ByteBuffer.allocate(8)
                .order(ByteOrder.nativeOrder())
                .putInt(index)
                .putInt(value)
                .array();
    }

    private void run() {
        while (true) {
            try (UnixSocket accepted = listener.accept()) {
                client = accepted;
                serve(accepted);
            } catch (IOException | IllegalStateException e) {
                if (!listener.fd().isOpen()) {
                    return;
                }
            } finally {
                closeChannel();
            }
            if (!listener.fd().isOpen()) {
                return;
            }
        }
    }

    private void closeChannel() {
        Fd open = channel;
        channel = null;
        if (open != null) {
            open.close();
        }
    }

    private void serve(UnixSocket socket) throws IOException {
        while (true) {
            List<Fd> descriptors = new ArrayList<>();
            try {
                if (!fill(socket, 0, 12, descriptors)) {
                    return;
                }
                int size = buffer.get(ValueLayout.JAVA_INT, 8);
                if (size > 0 && !fill(socket, 12, size, descriptors)) {
                    return;
                }
                Message message = new Message(
                        buffer.get(ValueLayout.JAVA_INT, 0),
                        buffer.get(ValueLayout.JAVA_INT, 4),
                        buffer.asSlice(12, size).toArray(ValueLayout.JAVA_BYTE));
                received.add(message.code);
                if (message.code == Request.SET_BACKEND_REQ_FD.code) {
                    closeChannel();
                    channel = descriptors.removeFirst();
                }
                Answer answer = lie.to(message);
                if (answer == null) {
                    answer = honest(message);
                }
                if (answer.bytes.length > 0) {
                    MemorySegment.copy(answer.bytes, 0, buffer, ValueLayout.JAVA_BYTE, 0, answer.bytes.length);
                    socket.sendAll(buffer, 0, answer.bytes.length, answer.descriptors);
                    answer.descriptors.forEach(Fd::close);
                }
                if (answer.thenClose) {
                    return;
                }
            } finally {
                descriptors.forEach(Fd::close);
            }
        }
    }

    private boolean fill(UnixSocket socket, long offset, int byteCount, List<Fd> descriptors) throws IOException {
        int filled = 0;
        while (filled < byteCount) {
            int count = socket.receive(buffer, offset + filled, byteCount - filled, descriptors);
            if (count == 0) {
                return false;
            }
            filled += count;
        }
        return true;
    }

    private Answer honest(Message message) {
        byte[] payload = switch (message.code) {
            case 1 -> u64(FEATURES);
            case 15 -> u64(protocolFeatures);
            case 17 -> u64(1);
            case 36 -> u64(8);
            case 24 -> message.payload;
            case 11 -> state(0, 0);
            case 6 -> u64(0);
            default -> (message.flags & Connection.FLAG_NEED_REPLY) != 0 ? u64(0) : new byte[0];
        };
        return payload.length == 0 ? Answer.nothing() : Answer.of(reply(message, payload));
    }

    /** Says something on the back-end channel. */
    void sayUnasked(byte[] bytes, Fd... descriptors) throws IOException {
        Fd open = channel;
        if (open == null) {
            throw new IOException("there is no channel");
        }
        try (Arena own = Arena.ofConfined()) {
            MemorySegment copy = own.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            // A duplicate is closed as a descriptor, without a shutdown.
            UnixSocket socket = UnixSocket.adopt(open.duplicate());
            try (Fd _ = socket.fd()) {
                socket.sendAll(copy, 0, bytes.length, List.of(descriptors));
            }
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        UnixSocket open = client;
        if (open != null) {
            open.close();
        }
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        arena.close();
    }
}
