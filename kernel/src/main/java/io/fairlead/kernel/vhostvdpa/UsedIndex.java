package io.fairlead.kernel.vhostvdpa;

import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.RingLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** How far the device has answered, as a split ring in guest memory says (virtio 1.4, 2.7.8). */
final class UsedIndex {
    private static final VarHandle U16 =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private UsedIndex() {}

    /** @throws GuestFaultException where the ring is not inside the guest's memory */
    static int read(VhostVdpaQueue queue, GuestMemory memory) throws GuestFaultException {
        if ((queue.setup().deviceAddress() & RingLayout.USED_ALIGNMENT - 1) != 0) {
            throw new GuestFaultException(
                    "used ring at 0x%x is not aligned".formatted(queue.setup().deviceAddress()));
        }
        return (short) U16.getAcquire(
                        memory.slice(queue.setup().deviceAddress(), RingLayout.usedBytes(queue.size(), false)),
                        (long) RingLayout.USED_INDEX)
                & 0xffff;
    }
}
