package io.fairlead.vhostuser.client;

import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.RingLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The indices of a split ring as they stand in guest memory, read while driver and device go on: the only trace of what a
 * daemon does with a queue. Valid as long as the memory is.
 */
final class RingIndices {
    private static final int MASK = 0xffff;
    private static final VarHandle U16 =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private final MemorySegment available;
    private final MemorySegment used;
    private final int size;
    private final boolean eventIndex;

    private RingIndices(MemorySegment available, MemorySegment used, int size, boolean eventIndex) {
        this.available = available;
        this.used = used;
        this.size = size;
        this.eventIndex = eventIndex;
    }

    /** @throws GuestFaultException where the rings are not inside the guest's memory, or lie crooked */
    static RingIndices of(BackendQueue queue, long features, GuestMemory memory) throws GuestFaultException {
        boolean eventIndex = Feature.has(features, Feature.EVENT_IDX);
        check(queue, features, memory);
        return new RingIndices(
                memory.slice(queue.setup().driverAddress(), RingLayout.availableBytes(queue.size(), eventIndex)),
                memory.slice(queue.setup().deviceAddress(), RingLayout.usedBytes(queue.size(), eventIndex)),
                queue.size(),
                eventIndex);
    }

    /** Whether the rings of a queue, of either layout, lie inside the guest's memory as they have to. */
    static void check(BackendQueue queue, long features, GuestMemory memory) throws GuestFaultException {
        boolean packed = Feature.has(features, Feature.RING_PACKED);
        boolean eventIndex = Feature.has(features, Feature.EVENT_IDX);
        int size = queue.size();
        if (!RingLayout.isValidSize(size, packed)) {
            throw new GuestFaultException("a ring of %d entries is not allowed".formatted(size));
        }
        part(
                memory,
                queue.setup().descriptorAddress(),
                RingLayout.descriptorBytes(size),
                RingLayout.DESCRIPTOR_ALIGNMENT);
        part(
                memory,
                queue.setup().driverAddress(),
                packed ? RingLayout.EVENT_BYTES : RingLayout.availableBytes(size, eventIndex),
                packed ? RingLayout.EVENT_ALIGNMENT : RingLayout.AVAILABLE_ALIGNMENT);
        part(
                memory,
                queue.setup().deviceAddress(),
                packed ? RingLayout.EVENT_BYTES : RingLayout.usedBytes(size, eventIndex),
                packed ? RingLayout.EVENT_ALIGNMENT : RingLayout.USED_ALIGNMENT);
    }

    private static void part(GuestMemory memory, long address, long byteCount, int alignment)
            throws GuestFaultException {
        if ((address & alignment - 1) != 0) {
            throw new GuestFaultException("ring at 0x%x is not aligned to %d".formatted(address, alignment));
        }
        // Memory that the peer gave from an odd place of a file lies crooked here, too.
        if ((memory.slice(address, byteCount).address() & alignment - 1) != 0) {
            throw new GuestFaultException(
                    "memory of the ring at 0x%x is not aligned to %d".formatted(address, alignment));
        }
    }

    int size() {
        return size;
    }

    /** How far the device has answered. */
    int used() {
        return (short) U16.getAcquire(used, (long) RingLayout.USED_INDEX) & MASK;
    }

    /** How far the driver has offered. */
    int available() {
        return (short) U16.getAcquire(available, (long) RingLayout.AVAILABLE_INDEX) & MASK;
    }

    /** How many requests are offered and not answered. */
    int outstanding() {
        return available() - used() & MASK;
    }

    /**
     * Whether the device says, by where it wants to be notified, that it took more than it answered. Devices that write
     * avail_event at every request that they take are known so exactly; others may have more under way.
     */
    boolean saysUnderWay() {
        if (!eventIndex) {
            return false;
        }
        int taken = (short) U16.getAcquire(used, RingLayout.availableEvent(size)) & MASK;
        int ahead = taken - used() & MASK;
        return ahead > 0 && ahead <= size;
    }
}
