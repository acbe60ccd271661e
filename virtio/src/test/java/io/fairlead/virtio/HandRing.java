package io.fairlead.virtio;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A virtqueue's memory written by hand, field by field, with offsets of its own, so that a wrong offset in the code under
 * test shows. One region at {@link #BASE}: descriptors, driver area, device area, then data.
 */
final class HandRing {
    static final long BASE = 0x10_0000;
    static final int DATA_BYTES = 0x8000;

    static final int NEXT = 1;
    static final int WRITE = 2;
    static final int INDIRECT = 4;
    static final int AVAIL = 0x80;
    static final int USED = 0x8000;

    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    final int size;
    final boolean packed;
    final MemorySegment host;
    final GuestMemory memory;
    final int driverOffset;
    final int deviceOffset;
    final int dataOffset;

    /** The driver's index (split). */
    int availableIndex;

    HandRing(int size, boolean packed) {
        this(size, packed, Arena.ofAuto().allocate(byteCount(size), 64));
    }

    HandRing(int size, boolean packed, MemorySegment host) {
        this.size = size;
        this.packed = packed;
        this.host = host;
        driverOffset = 16 * size;
        deviceOffset = (driverOffset + 6 + 2 * size + 63) & -64;
        dataOffset = (deviceOffset + 6 + 8 * size + 63) & -64;
        memory = new GuestMemory(List.of(new GuestMemory.Region(BASE, host)), () -> {});
    }

    static long byteCount(int size) {
        return 26L * size + 256 + DATA_BYTES;
    }

    /** Guest address of a place in the data area. */
    long data(long offset) {
        return BASE + dataOffset + offset;
    }

    QueueConfig config(long features) {
        return config(features, QueueState.initial(packed), null);
    }

    QueueConfig config(long features, QueueState state, @Nullable MemorySegment inflight) {
        return new QueueConfig(
                size,
                BASE,
                BASE + driverOffset,
                BASE + deviceOffset,
                features | Feature.VERSION_1 | (packed ? Feature.RING_PACKED : 0),
                state,
                inflight);
    }

    DeviceQueue queue(long features) throws GuestFaultException {
        return DeviceQueue.create(config(features), memory);
    }

    static DescriptorChain chain() {
        return new DescriptorChain(Arena.ofAuto().allocate(DescriptorChain.IOVEC_BYTES, 8));
    }

    /** A descriptor of either layout; the last two 16-bit words are flags, next (split) or id, flags (packed). */
    void descriptor(long hostOffset, long address, long byteCount, int word12, int word14) {
        put64(hostOffset, address);
        put32(hostOffset + 8, (int) byteCount);
        put16(hostOffset + 12, word12);
        put16(hostOffset + 14, word14);
    }

    void split(int index, long address, long byteCount, int flags, int next) {
        descriptor(16L * index, address, byteCount, flags, next);
    }

    /** Makes a chain available. */
    void offer(int head) {
        put16(driverOffset + 4 + 2L * (availableIndex % size), head);
        availableIndex = (availableIndex + 1) & 0xffff;
        put16(driverOffset + 2, availableIndex);
    }

    int usedIndex() {
        return get16(deviceOffset + 2);
    }

    int usedId(int index) {
        return get32(deviceOffset + 4 + 8L * (index % size));
    }

    int usedLength(int index) {
        return get32(deviceOffset + 8 + 8L * (index % size));
    }

    void packed(int slot, boolean wrap, long address, long byteCount, int id, int flags) {
        descriptor(16L * slot, address, byteCount, id, flags | (wrap ? AVAIL : USED));
    }

    int packedFlags(int slot) {
        return get16(16L * slot + 14);
    }

    boolean isUsed(int slot, boolean wrap) {
        return (packedFlags(slot) & (AVAIL | USED)) == (wrap ? AVAIL | USED : 0);
    }

    int packedId(int slot) {
        return get16(16L * slot + 12);
    }

    int packedLength(int slot) {
        return get32(16L * slot + 8);
    }

    int get16(long offset) {
        return host.get(U16, offset) & 0xffff;
    }

    int get32(long offset) {
        return host.get(U32, offset);
    }

    void put16(long offset, int value) {
        host.set(U16, offset, (short) value);
    }

    void put32(long offset, int value) {
        host.set(U32, offset, value);
    }

    void put64(long offset, long value) {
        host.set(U64, offset, value);
    }
}
