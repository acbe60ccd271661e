package io.fairlead.virtio;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * Memory for both sides of one queue in a test: the rings in one region; two data regions that follow each other for the
 * guest but not on the host, so that a buffer may cross from one to the other.
 */
final class Virtqueue implements AutoCloseable {
    static final long RINGS = 0x10000;
    static final long DATA = 0x4000_0000;

    final Arena arena = Arena.ofShared();
    final DriverRings rings;
    final MemorySegment ringMemory;
    final GuestMemory memory;
    final long dataBytes;
    private final MemorySegment low;
    private final MemorySegment high;

    Virtqueue(int size, long features, int indirectEntries, long dataBytes) {
        this.dataBytes = dataBytes;
        long ringBytes = DriverRings.byteCount(size, features, indirectEntries);
        ringMemory = arena.allocate(ringBytes, 4096);
        long lowBytes = Math.max(1, dataBytes / 2 - 13);
        high = arena.allocate(dataBytes - lowBytes, 8);
        low = arena.allocate(lowBytes, 8);
        rings = DriverRings.lay(ringMemory, RINGS, size, features, indirectEntries);
        memory = new GuestMemory(
                List.of(
                        new GuestMemory.Region(DATA + lowBytes, high),
                        new GuestMemory.Region(RINGS, ringMemory),
                        new GuestMemory.Region(DATA, low)),
                () -> {});
    }

    DeviceQueue device(QueueState state) {
        try {
            return DeviceQueue.create(rings.queueConfig(state), memory);
        } catch (GuestFaultException e) {
            throw new AssertionError("a valid queue was refused", e);
        }
    }

    DescriptorChain newChain() {
        return new DescriptorChain(arena.allocate(DescriptorChain.IOVEC_BYTES, 8));
    }

    byte data(long address) {
        long offset = address - DATA;
        return offset < low.byteSize()
                ? low.get(ValueLayout.JAVA_BYTE, offset)
                : high.get(ValueLayout.JAVA_BYTE, offset - low.byteSize());
    }

    void data(long address, byte value) {
        long offset = address - DATA;
        if (offset < low.byteSize()) {
            low.set(ValueLayout.JAVA_BYTE, offset, value);
        } else {
            high.set(ValueLayout.JAVA_BYTE, offset - low.byteSize(), value);
        }
    }

    /** A position at which a queue may stand with nothing outstanding. */
    static QueueState anyState(RandomGenerator random, int size, boolean packed) {
        if (packed) {
            int position = random.nextInt(size);
            boolean wrap = random.nextBoolean();
            return new QueueState.Packed(position, wrap, position, wrap);
        }
        int index = random.nextInt(0x10000);
        return new QueueState.Split(index, index);
    }

    @Override
    public void close() {
        memory.release();
        arena.close();
    }
}
