package io.fairlead.vhostuser.server;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Memfd;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A vhost-user client with memory and one ring, which says exactly what a test wants it to say. Guest memory is one memfd
 * of {@link #MEMORY_BYTES} at guest address {@link #GUEST_BASE}, told with user addresses from {@link #USER_BASE}.
 */
final class TestClient implements AutoCloseable {
    static final long MEMORY_BYTES = 1 << 20;
    static final long GUEST_BASE = 0x10_0000;
    static final long USER_BASE = 0x7f12_3456_0000L;
    static final int NEED_REPLY = Connection.FLAG_NEED_REPLY;

    /** A message as it goes over the socket, for recording and mutation. */
    @SuppressWarnings("ArrayRecordComponent") // never compared; the bytes are what is mutated
    record Sent(int request, int flags, byte[] payload, List<Fd> descriptors) {}

    final UnixSocket socket;
    final Fd memoryFd;
    final Mapping memory;
    final EventFd kick;
    final EventFd call;
    final EventFd error;
    final List<Fd> received = new ArrayList<>();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(8192, 8);
    private Consumer<Sent> recorder = sent -> {};

    TestClient(Path path) throws IOException {
        memoryFd = Memfd.create("test-guest", MEMORY_BYTES);
        memory = Mapping.shared(memoryFd, 0, MEMORY_BYTES, true);
        kick = EventFd.create("kick");
        call = EventFd.create("call");
        error = EventFd.create("error");
        socket = UnixSocket.connect(path);
        socket.receiveTimeout(10_000);
    }

    /** Tells somebody of every message before it is sent. */
    void record(Consumer<Sent> to) {
        recorder = to;
    }

    void send(Request request, int flags, byte[] payload, Fd... descriptors) throws IOException {
        send(new Sent(request.code, Connection.VERSION | flags, payload, List.of(descriptors)));
    }

    void send(Sent sent) throws IOException {
        recorder.accept(sent);
        buffer.set(ValueLayout.JAVA_INT, 0, sent.request);
        buffer.set(ValueLayout.JAVA_INT, 4, sent.flags);
        buffer.set(ValueLayout.JAVA_INT, 8, sent.payload.length);
        MemorySegment.copy(
                sent.payload, 0, buffer, ValueLayout.JAVA_BYTE, Connection.HEADER_BYTES, sent.payload.length);
        socket.sendAll(buffer, 0, Connection.HEADER_BYTES + sent.payload.length, sent.descriptors);
    }

    /** Sends bytes that need not be a message. */
    void sendRaw(byte[] bytes, List<Fd> descriptors) throws IOException {
        MemorySegment.copy(bytes, 0, buffer, ValueLayout.JAVA_BYTE, 0, bytes.length);
        socket.sendAll(buffer, 0, bytes.length, descriptors);
    }

    /** Waits for a reply and returns its payload; null where the server closed the connection. */
    byte @Nullable [] receive() throws IOException {
        if (!fill(Connection.HEADER_BYTES)) {
            return null;
        }
        int flags = buffer.get(ValueLayout.JAVA_INT, 4);
        if (flags != (Connection.VERSION | Connection.FLAG_REPLY)) {
            throw new AssertionError("reply with flags " + flags);
        }
        int size = buffer.get(ValueLayout.JAVA_INT, 8);
        if (size > 0 && !fill(size)) {
            return null;
        }
        return buffer.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE);
    }

    private boolean fill(int byteCount) throws IOException {
        int filled = 0;
        while (filled < byteCount) {
            int count = socket.receive(buffer, filled, byteCount - filled, received);
            if (count == 0) {
                return false;
            }
            filled += count;
        }
        return true;
    }

    byte @Nullable [] ask(Request request, byte[] payload, Fd... descriptors) throws IOException {
        send(request, 0, payload, descriptors);
        return receive();
    }

    long askU64(Request request) throws IOException {
        return ByteBuffer.wrap(ask(request, new byte[0]))
                .order(ByteOrder.nativeOrder())
                .getLong();
    }

    /** Sends with NEED_REPLY and returns the acknowledgement: 0 for success. */
    long acknowledged(Request request, byte[] payload, Fd... descriptors) throws IOException {
        send(request, NEED_REPLY, payload, descriptors);
        byte[] reply = receive();
        if (reply == null) {
            throw new AssertionError(request + ": the server closed the connection");
        }
        return ByteBuffer.wrap(reply).order(ByteOrder.nativeOrder()).getLong();
    }

    static byte[] u64(long value) {
        return bytes(8).putLong(value).array();
    }

    static byte[] state(int index, int value) {
        return bytes(8).putInt(index).putInt(value).array();
    }

    static byte[] region(long guestAddress, long byteCount, long userAddress, long offset) {
        return bytes(40)
                .putLong(0)
                .putLong(guestAddress)
                .putLong(byteCount)
                .putLong(userAddress)
                .putLong(offset)
                .array();
    }

    static byte[] table(long guestAddress, long byteCount, long userAddress, long offset) {
        return bytes(40)
                .putInt(1)
                .putInt(0)
                .putLong(guestAddress)
                .putLong(byteCount)
                .putLong(userAddress)
                .putLong(offset)
                .array();
    }

    static byte[] config(int offset, int byteCount, int flags) {
        return bytes(12 + Math.max(byteCount, 0))
                .putInt(offset)
                .putInt(byteCount)
                .putInt(flags)
                .array();
    }

    static byte[] inflight(long byteCount, long offset, int queueCount, int queueSize) {
        return bytes(24)
                .putLong(byteCount)
                .putLong(offset)
                .putShort((short) queueCount)
                .putShort((short) queueSize)
                .array();
    }

    static ByteBuffer bytes(int count) {
        return ByteBuffer.allocate(count).order(ByteOrder.nativeOrder());
    }

    static byte[] log(long byteCount, long offset) {
        return bytes(16).putLong(byteCount).putLong(offset).array();
    }

    static byte[] address(int index, DriverRings rings) {
        return address(index, rings, 0, 0);
    }

    static byte[] address(int index, DriverRings rings, int flags, long logAddress) {
        return bytes(40)
                .putInt(index)
                .putInt(flags)
                .putLong(userAddress(rings.descriptorAddress()))
                .putLong(userAddress(rings.deviceAddress()))
                .putLong(userAddress(rings.driverAddress()))
                .putLong(logAddress)
                .array();
    }

    private static long userAddress(long guestAddress) {
        return guestAddress - GUEST_BASE + USER_BASE;
    }

    MemorySegment guest(long guestAddress, long byteCount) {
        return memory.segment().asSlice(guestAddress - GUEST_BASE, byteCount);
    }

    /** Rings at the start of the memory; data may begin at {@link #GUEST_BASE} + 64 KiB. */
    DriverRings rings(int size, long features) {
        return DriverRings.lay(memory.segment().asSlice(0, 0x10000), GUEST_BASE, size, features, 0);
    }

    /** Features, protocol features, memory: as QEMU does before a ring starts. */
    void negotiate(long features) throws IOException {
        send(Request.GET_FEATURES, 0, new byte[0]);
        receive();
        send(Request.GET_PROTOCOL_FEATURES, 0, new byte[0]);
        long protocol =
                ByteBuffer.wrap(receive()).order(ByteOrder.nativeOrder()).getLong();
        send(Request.SET_PROTOCOL_FEATURES, 0, u64(protocol));
        send(Request.SET_OWNER, 0, new byte[0]);
        send(Request.SET_FEATURES, NEED_REPLY, u64(features | Feature.VHOST_USER_PROTOCOL_FEATURES));
        receive();
        send(Request.ADD_MEM_REG, NEED_REPLY, region(GUEST_BASE, MEMORY_BYTES, USER_BASE, 0), memoryFd);
        receive();
    }

    /** Starts ring 0 and enables it. */
    DriverQueue start(int size, long features, QueueState state) throws IOException {
        return start(size, features, state, state.vringBase());
    }

    /** @param base what is told of the state */
    DriverQueue start(int size, long features, QueueState state, int base) throws IOException {
        DriverRings rings = rings(size, features);
        DriverQueue queue = DriverQueue.create(rings, state);
        send(Request.SET_VRING_NUM, NEED_REPLY, state(0, size));
        receive();
        send(Request.SET_VRING_BASE, NEED_REPLY, state(0, base));
        receive();
        send(Request.SET_VRING_ADDR, NEED_REPLY, address(0, rings));
        receive();
        send(Request.SET_VRING_ERR, NEED_REPLY, u64(0), error.fd());
        receive();
        send(Request.SET_VRING_CALL, NEED_REPLY, u64(0), call.fd());
        receive();
        send(Request.SET_VRING_KICK, NEED_REPLY, u64(0), kick.fd());
        receive();
        send(Request.SET_VRING_ENABLE, NEED_REPLY, state(0, 1));
        receive();
        return queue;
    }

    @Override
    public void close() throws IOException {
        socket.close();
        received.forEach(Fd::close);
        memory.close();
        memoryFd.close();
        kick.close();
        call.close();
        error.close();
        arena.close();
    }
}
