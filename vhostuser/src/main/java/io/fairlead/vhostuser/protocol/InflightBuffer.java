package io.fairlead.vhostuser.protocol;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Memfd;
import io.fairlead.virtio.PackedInflight;
import io.fairlead.virtio.SplitInflight;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Shared memory that records the requests in flight of all queues, so that they survive this process: made by us, kept by
 * the client, and given back to whoever serves the device next. Each queue has a part of the same size.
 */
public final class InflightBuffer implements AutoCloseable {
    private final Mapping mapping;
    private final long partBytes;
    private final int queueCount;

    private InflightBuffer(Mapping mapping, long partBytes, int queueCount) {
        this.mapping = mapping;
        this.partBytes = partBytes;
        this.queueCount = queueCount;
    }

    /** Bytes of one queue's part, whichever layout its ring gets. */
    public static long partBytes(int queueSize) {
        long bytes = Math.max(SplitInflight.byteCount(queueSize), PackedInflight.byteCount(queueSize));
        return (bytes + 63) & -64;
    }

    /** New memory, empty, for so many queues. */
    public static Fd create(String deviceName, int queueCount, int queueSize) throws IOException {
        return Memfd.create("fairlead-inflight-" + deviceName, queueCount * partBytes(queueSize));
    }

    /**
     * Maps what a client gave.
     *
     * @param fd closed by this method
     * @throws ProtocolException where the description does not fit the file or the queues
     */
    public static InflightBuffer map(Fd fd, Payload.Inflight description, int maxQueueCount)
            throws IOException, ProtocolException {
        try (fd) {
            int queueCount = description.queueCount();
            if (queueCount < 1 || queueCount > maxQueueCount) {
                throw new ProtocolException(
                        "in-flight region for %d queues, the device has %d".formatted(queueCount, maxQueueCount));
            }
            long partBytes = description.byteCount() / queueCount;
            if (partBytes < SplitInflight.byteCount(description.queueSize())
                    || partBytes % 8 != 0
                    || description.byteCount() % queueCount != 0) {
                throw new ProtocolException("in-flight region of %d bytes is too small or uneven for %d queues of %d"
                        .formatted(description.byteCount(), queueCount, description.queueSize()));
            }
            long fileBytes = FileIo.status(fd).sizeBytes();
            if (description.fileOffset() < 0
                    || description.fileOffset() % 8 != 0
                    || description.byteCount() > fileBytes - description.fileOffset()) {
                throw new ProtocolException(
                        "in-flight region of %d bytes at offset %d is not inside its file of %d bytes"
                                .formatted(description.byteCount(), description.fileOffset(), fileBytes));
            }
            return new InflightBuffer(
                    Mapping.shared(fd, description.fileOffset(), description.byteCount(), true), partBytes, queueCount);
        }
    }

    /** A queue's part; null for a queue that the client did not count. */
    @org.jspecify.annotations.Nullable
    public MemorySegment part(int queue) {
        return queue < queueCount ? mapping.segment().asSlice(queue * partBytes, partBytes) : null;
    }

    @Override
    public void close() throws IOException {
        mapping.close();
    }
}
