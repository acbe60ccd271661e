package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;

/** The three parts of a virtqueue in host memory, checked. */
record Rings(MemorySegment descriptors, MemorySegment driver, MemorySegment device) {
    /**
     * @throws GuestFaultException where a part is not inside one region of the memory, misaligned, or overlaps another,
     *     or the size is not one of the layout
     */
    static Rings of(QueueConfig config, GuestMemory memory) throws GuestFaultException {
        int size = config.size();
        boolean packed = config.packed();
        if (!RingLayout.isValidSize(size, packed)) {
            throw new GuestFaultException(
                    "a %s queue cannot have %d entries".formatted(packed ? "packed" : "split", size));
        }
        boolean eventIndex = config.has(Feature.EVENT_IDX);
        long descriptorBytes = RingLayout.descriptorBytes(size);
        long driverBytes = packed ? RingLayout.EVENT_BYTES : RingLayout.availableBytes(size, eventIndex);
        long deviceBytes = packed ? RingLayout.EVENT_BYTES : RingLayout.usedBytes(size, eventIndex);
        Rings rings = new Rings(
                part(memory, config.descriptorAddress(), descriptorBytes, RingLayout.DESCRIPTOR_ALIGNMENT),
                part(
                        memory,
                        config.driverAddress(),
                        driverBytes,
                        packed ? RingLayout.EVENT_ALIGNMENT : RingLayout.AVAILABLE_ALIGNMENT),
                part(
                        memory,
                        config.deviceAddress(),
                        deviceBytes,
                        packed ? RingLayout.EVENT_ALIGNMENT : RingLayout.USED_ALIGNMENT));
        requireApart(config.descriptorAddress(), descriptorBytes, config.driverAddress(), driverBytes);
        requireApart(config.descriptorAddress(), descriptorBytes, config.deviceAddress(), deviceBytes);
        requireApart(config.driverAddress(), driverBytes, config.deviceAddress(), deviceBytes);
        return rings;
    }

    private static MemorySegment part(GuestMemory memory, long address, long byteCount, int alignment)
            throws GuestFaultException {
        MemorySegment segment = memory.slice(address, byteCount);
        // The host's address counts too: an atomic access needs it.
        if (((address | segment.address()) & (alignment - 1)) != 0) {
            throw new GuestFaultException("ring part at 0x%x is not aligned to %d".formatted(address, alignment));
        }
        return segment;
    }

    private static void requireApart(long a, long aBytes, long b, long bBytes) throws GuestFaultException {
        if (a < b + bBytes && b < a + aBytes) {
            throw new GuestFaultException("ring parts at 0x%x and 0x%x overlap".formatted(a, b));
        }
    }
}
