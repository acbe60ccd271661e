package io.fairlead.vhostuser.client;

import io.fairlead.linux.Fd;
import io.fairlead.vhostuser.protocol.InflightBuffer;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.ProtocolException;
import io.fairlead.vhostuser.protocol.Request;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory in which a daemon records its requests in flight. We keep it while the daemon is away, so that the next one
 * takes them up, each exactly once. One thread.
 */
final class BackendInflight implements AutoCloseable {
    /** Far above what any ring needs. */
    private static final long MAX_BYTES = 64L << 20;

    private final Fd fd;
    private final Payload.Inflight description;
    private final InflightBuffer buffer;

    private BackendInflight(Fd fd, Payload.Inflight description, InflightBuffer buffer) {
        this.fd = fd;
        this.description = description;
        this.buffer = buffer;
    }

    /** GET_INFLIGHT_FD: new memory of the daemon's own layout. */
    static BackendInflight ask(BackendConnection connection, int queueCount, int queueSize) throws IOException {
        Payload.Inflight wanted = new Payload.Inflight(0, 0, queueCount, queueSize);
        write(connection, wanted);
        connection.send(Request.GET_INFLIGHT_FD, 0, Payload.INFLIGHT_PADDED_BYTES, List.of());
        MemorySegment answer = connection.receive(Request.GET_INFLIGHT_FD);
        if (answer.byteSize() < Payload.INFLIGHT_BYTES || answer.byteSize() > Payload.INFLIGHT_PADDED_BYTES) {
            throw connection.violation("the answer to GET_INFLIGHT_FD has %d bytes".formatted(answer.byteSize()));
        }
        Payload.Inflight described = Payload.Inflight.read(answer);
        if (described.queueCount() != queueCount
                || described.queueSize() != queueSize
                || described.byteCount() > MAX_BYTES) {
            throw connection.violation("in-flight memory for %d queues of %d was asked for, %s came"
                    .formatted(queueCount, queueSize, described));
        }
        Fd fd = connection.takeDescriptor(Request.GET_INFLIGHT_FD);
        try {
            return new BackendInflight(fd, described, InflightBuffer.map(fd.duplicate(), described, queueCount));
        } catch (ProtocolException e) {
            fd.close();
            throw connection.violation(String.valueOf(e.getMessage()));
        } catch (IOException | RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** SET_INFLIGHT_FD: the daemon uses it from now on; no queue may run. */
    void give(BackendConnection connection) throws IOException {
        write(connection, description);
        connection.command(Request.SET_INFLIGHT_FD, Payload.INFLIGHT_PADDED_BYTES, List.of(fd));
    }

    int queueSize() {
        return description.queueSize();
    }

    /** Forgets what is recorded of a stopped queue, which starts somewhere of its own. */
    void forget(int queue) {
        @Nullable MemorySegment part = buffer.part(queue);
        if (part != null) {
            part.fill((byte) 0);
        }
    }

    private static void write(BackendConnection connection, Payload.Inflight description) {
        connection.payload().asSlice(0, Payload.INFLIGHT_PADDED_BYTES).fill((byte) 0);
        description.write(connection.payload());
    }

    @Override
    public void close() throws IOException {
        buffer.close();
        fd.close();
    }
}
