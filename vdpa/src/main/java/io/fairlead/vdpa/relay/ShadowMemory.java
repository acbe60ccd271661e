package io.fairlead.vdpa.relay;

import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.RingLayout;
import java.io.IOException;
import java.util.function.ToLongFunction;

/**
 * The memory of the relay's own rings: a file of our own that the device sees at a guest address where the guest has
 * nothing. It is as large as rings of the greatest size with indirect tables of the longest chains; what is not used
 * takes no memory.
 */
final class ShadowMemory implements AutoCloseable {
    /** Where the region starts and a queue's part of it; a huge page, for devices that translate by those. */
    private static final long ALIGNMENT = 2L << 20;

    /** A queue's part starts at a page. */
    private static final long PART_ALIGNMENT = 4096;

    private final long[] offsets;
    private final MemoryRegion region;

    private ShadowMemory(long[] offsets, MemoryRegion region) {
        this.offsets = offsets;
        this.region = region;
    }

    /**
     * @param table the guest's memory, behind which it lies
     * @param offered the features that the device offers, of which a driver may take any
     * @param queueSizes the greatest size of each queue
     */
    static ShadowMemory create(String name, MemoryTable table, long offered, int[] queueSizes) throws IOException {
        long[] offsets = new long[queueSizes.length];
        long end = 0;
        for (int i = 0; i < queueSizes.length; i++) {
            offsets[i] = end;
            long packed = bytes(queueSizes[i], offered | Feature.RING_PACKED);
            long split = bytes(queueSizes[i], offered & ~Feature.RING_PACKED);
            end += up(Math.max(packed, split), PART_ALIGNMENT);
        }
        long byteCount = up(end, ALIGNMENT);
        return new ShadowMemory(
                offsets,
                MemoryRegion.map(
                        Memfd.create("fairlead-relay-" + name, byteCount),
                        0,
                        behind(table, MemoryRegion::guestAddress),
                        behind(table, MemoryRegion::userAddress),
                        byteCount));
    }

    private static long bytes(int size, long features) {
        return DriverRings.byteCount(size, features, indirectEntries(features));
    }

    private static long up(long value, long alignment) {
        return (value + alignment - 1) & -alignment;
    }

    private static long behind(MemoryTable table, ToLongFunction<MemoryRegion> address) {
        long end = table.regions().stream()
                .mapToLong(region -> address.applyAsLong(region) + region.byteCount())
                .max()
                .orElse(0);
        return up(Math.max(end, 1), ALIGNMENT);
    }

    /** Tables for the longest chains, so that every chain fits the ring; none where they were not negotiated. */
    private static int indirectEntries(long features) {
        return Feature.has(features, Feature.INDIRECT_DESC) ? DescriptorChain.MAX_SEGMENTS : 0;
    }

    /** Whether the guest has something at one of the region's addresses. */
    boolean collides(MemoryTable table) {
        return table.regions().stream()
                .anyMatch(other ->
                        overlap(other, MemoryRegion::guestAddress) || overlap(other, MemoryRegion::userAddress));
    }

    private boolean overlap(MemoryRegion other, ToLongFunction<MemoryRegion> address) {
        long start = address.applyAsLong(region);
        long otherStart = address.applyAsLong(other);
        return otherStart < start + region.byteCount() && start < otherStart + other.byteCount();
    }

    /** The guest's memory and this; the caller releases it. */
    MemoryTable addedTo(MemoryTable table) {
        return table.plus(region);
    }

    MemoryRegion region() {
        return region;
    }

    /** The rings of a queue; of an odd size, as packed ones may have, too. */
    DriverRings rings(int queue, int size, long features) {
        int indirect = indirectEntries(features);
        long bytes = bytes(size, features);
        long offset = offsets[queue];
        // What the last run left of a ring must not be taken for something of this one.
        region.segment()
                .asSlice(offset, up(RingLayout.descriptorBytes(size), RingLayout.DESCRIPTOR_ALIGNMENT))
                .fill((byte) 0);
        return DriverRings.lay(
                region.segment().asSlice(offset, bytes), region.guestAddress() + offset, size, features, indirect);
    }

    @Override
    public void close() {
        region.release();
    }
}
