package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;

/**
 * The memory of a driver's virtqueue: where it lies for the driver (segments) and for the device (IOVA addresses). The
 * owner allocates it and keeps it until both sides have stopped.
 *
 * @param size ring entries; for split a power of two
 * @param features the negotiated features, of which RING_PACKED, EVENT_IDX, INDIRECT_DESC and IN_ORDER matter
 * @param descriptors descriptor table (split) or descriptor ring (packed), native, aligned to 16
 * @param descriptorAddress its IOVA address
 * @param driverArea available ring, or driver event suppression
 * @param driverAddress its IOVA address
 * @param deviceArea used ring, or device event suppression
 * @param deviceAddress its IOVA address
 * @param indirectTables a table of {@code indirectEntries} descriptors for each ring entry, aligned to 16; an empty
 *     segment where there are none
 * @param indirectAddress its IOVA address
 * @param indirectEntries most pieces of one buffer in an indirect table; 0 where no indirect tables are to be used
 */
public record DriverRings(
        int size,
        long features,
        MemorySegment descriptors,
        long descriptorAddress,
        MemorySegment driverArea,
        long driverAddress,
        MemorySegment deviceArea,
        long deviceAddress,
        MemorySegment indirectTables,
        long indirectAddress,
        int indirectEntries) {

    public DriverRings {
        boolean packed = Feature.has(features, Feature.RING_PACKED);
        if (!RingLayout.isValidSize(size, packed)) {
            throw new IllegalArgumentException(
                    "a %s queue cannot have %d entries".formatted(packed ? "packed" : "split", size));
        }
        if (indirectEntries != 0 && !Feature.has(features, Feature.INDIRECT_DESC)) {
            throw new IllegalArgumentException("indirect tables without INDIRECT_DESC");
        }
        if (indirectEntries < 0 || indirectEntries > RingLayout.MAX_SIZE) {
            throw new IllegalArgumentException("indirect tables of %d entries".formatted(indirectEntries));
        }
        boolean eventIndex = Feature.has(features, Feature.EVENT_IDX);
        require(descriptors, RingLayout.descriptorBytes(size), RingLayout.DESCRIPTOR_ALIGNMENT, "descriptor ring");
        require(driverArea, driverBytes(size, packed, eventIndex), driverAlignment(packed), "driver area");
        require(deviceArea, deviceBytes(size, packed, eventIndex), RingLayout.USED_ALIGNMENT, "device area");
        require(
                indirectTables,
                indirectBytes(size, indirectEntries),
                indirectEntries == 0 ? 1 : RingLayout.DESCRIPTOR_ALIGNMENT,
                "indirect tables");
    }

    /** Bytes that {@link #lay} needs. */
    public static long byteCount(int size, long features, int indirectEntries) {
        return new Offsets(size, features, indirectEntries).end;
    }

    /**
     * Lays a whole queue into one piece of memory.
     *
     * @param memory at least {@link #byteCount} bytes, native, aligned to 16
     * @param address the memory's IOVA address
     */
    public static DriverRings lay(MemorySegment memory, long address, int size, long features, int indirectEntries) {
        Offsets at = new Offsets(size, features, indirectEntries);
        if (memory.byteSize() < at.end) {
            throw new IllegalArgumentException(
                    "a queue of %d entries needs %d bytes, not %d".formatted(size, at.end, memory.byteSize()));
        }
        return new DriverRings(
                size,
                features,
                memory.asSlice(0, at.driver),
                address,
                memory.asSlice(at.driver, at.device - at.driver),
                address + at.driver,
                memory.asSlice(at.device, at.indirect - at.device),
                address + at.device,
                memory.asSlice(at.indirect, at.end - at.indirect),
                address + at.indirect,
                indirectEntries);
    }

    public boolean packed() {
        return has(Feature.RING_PACKED);
    }

    public boolean has(long feature) {
        return Feature.has(features, feature);
    }

    /** The device's view of the queue, starting at a state. */
    public QueueConfig queueConfig(QueueState state) {
        return new QueueConfig(size, descriptorAddress, driverAddress, deviceAddress, features, state, null);
    }

    private static void require(MemorySegment memory, long byteCount, int alignment, String what) {
        if (!memory.isNative() || memory.byteSize() < byteCount || memory.address() % alignment != 0) {
            throw new IllegalArgumentException("%s needs %d native bytes aligned to %d, not %d at 0x%x"
                    .formatted(what, byteCount, alignment, memory.byteSize(), memory.address()));
        }
    }

    private static long driverBytes(int size, boolean packed, boolean eventIndex) {
        return packed ? RingLayout.EVENT_BYTES : RingLayout.availableBytes(size, eventIndex);
    }

    private static int driverAlignment(boolean packed) {
        return packed ? RingLayout.EVENT_ALIGNMENT : RingLayout.AVAILABLE_ALIGNMENT;
    }

    private static long deviceBytes(int size, boolean packed, boolean eventIndex) {
        return packed ? RingLayout.EVENT_BYTES : RingLayout.usedBytes(size, eventIndex);
    }

    private static long indirectBytes(int size, int indirectEntries) {
        return RingLayout.descriptorBytes(indirectEntries) * size;
    }

    /** Where {@link #lay} puts the parts; each on a cache line of its own, as each has another writer. */
    private static final class Offsets {
        private static final long LINE_BYTES = 64;

        final long driver;
        final long device;
        final long indirect;
        final long end;

        Offsets(int size, long features, int indirectEntries) {
            boolean packed = Feature.has(features, Feature.RING_PACKED);
            boolean eventIndex = Feature.has(features, Feature.EVENT_IDX);
            driver = up(RingLayout.descriptorBytes(size));
            device = up(driver + driverBytes(size, packed, eventIndex));
            indirect = up(device + deviceBytes(size, packed, eventIndex));
            end = up(indirect + indirectBytes(size, indirectEntries));
        }

        private static long up(long offset) {
            return (offset + LINE_BYTES - 1) & -LINE_BYTES;
        }
    }
}
