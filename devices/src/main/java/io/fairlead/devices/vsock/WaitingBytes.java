package io.fairlead.devices.vsock;

import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Mapping;
import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What a guest has sent and a program of the host does not read yet: a ring, made when it is first needed. One thread. */
final class WaitingBytes {
    private final int capacity;
    private @Nullable Mapping mapping;
    private int start;
    private int count;

    WaitingBytes(int capacity) {
        this.capacity = capacity;
    }

    int count() {
        return count;
    }

    /**
     * Puts device-readable bytes of a chain behind the others; the caller knows that there is room.
     *
     * @throws LinuxException where the host has no memory
     */
    void put(DescriptorChain chain, long offset, int byteCount) throws LinuxException {
        if (byteCount > capacity - count) {
            throw new IllegalStateException("%d bytes do not fit".formatted(byteCount));
        }
        if (mapping == null) {
            mapping = Mapping.anonymous(capacity);
        }
        MemorySegment memory = mapping.segment();
        int end = (start + count) % capacity;
        int first = Math.min(byteCount, capacity - end);
        chain.read(offset, memory, end, first);
        chain.read(offset + first, memory, 0, byteCount - first);
        count += byteCount;
    }

    /** Points at all of them; only where there are some. */
    void show(IovecWindow window) {
        if (mapping == null) {
            throw new IllegalStateException("there are none");
        }
        int first = Math.min(count, capacity - start);
        window.of(mapping.segment(), start, first, count - first);
    }

    /** Takes the oldest away. */
    void drop(int byteCount) {
        count -= byteCount;
        start = count == 0 ? 0 : (start + byteCount) % capacity;
    }

    void close() {
        count = 0;
        if (mapping != null) {
            mapping.close();
            mapping = null;
        }
    }
}
