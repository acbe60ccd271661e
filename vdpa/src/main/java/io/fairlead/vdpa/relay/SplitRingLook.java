package io.fairlead.vdpa.relay;

import io.fairlead.vdpa.QueueSetup;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A split ring in the guest's memory as somebody sees it who is neither its driver nor its device (virtio 1.4, 2.7):
 * whether the device has answered all that it was given. A packed ring does not show this.
 *
 * <p>The guest is not trusted: what it writes may mislead about its own ring only.
 */
final class SplitRingLook {
    private static final VarHandle SHORT =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final RelayQueue queue;
    private final int size;
    private final GuestMemory memory;
    private final MemorySegment descriptors;
    private final MemorySegment available;
    private final MemorySegment used;

    /** The used index at the last look. */
    private int lookedAtUsed;

    /** @throws GuestFaultException where the rings are not inside the memory */
    SplitRingLook(RelayQueue queue, GuestMemory memory) throws GuestFaultException {
        this.queue = queue;
        this.memory = memory;
        QueueSetup setup = queue.setup();
        size = setup.size();
        if (!RingLayout.isValidSize(size, false)) {
            throw new GuestFaultException("a split queue cannot have %d entries".formatted(size));
        }
        if ((setup.driverAddress() & 1) != 0 || (setup.deviceAddress() & 3) != 0) {
            throw new GuestFaultException("the rings of queue %d are not aligned".formatted(queue.index()));
        }
        descriptors = memory.slice(setup.descriptorAddress(), RingLayout.descriptorBytes(size));
        available = memory.slice(setup.driverAddress(), RingLayout.availableBytes(size, false));
        used = memory.slice(setup.deviceAddress(), RingLayout.usedBytes(size, false));
    }

    RelayQueue queue() {
        return queue;
    }

    private static int load(MemorySegment segment, long offset) {
        return (short) SHORT.getAcquire(segment, offset) & 0xffff;
    }

    private int availableIndex() {
        return load(available, RingLayout.AVAILABLE_INDEX);
    }

    private int usedIndex() {
        return load(used, RingLayout.USED_INDEX);
    }

    private int availableHead(int index) {
        return load(available, RingLayout.availableEntry(index & (size - 1)));
    }

    private int usedHead(int index) {
        return used.get(INT, RingLayout.usedElement(index & (size - 1)) + RingLayout.USED_ELEMENT_ID);
    }

    /** Requests available and not used. */
    int outstanding() {
        return (availableIndex() - usedIndex()) & 0xffff;
    }

    /**
     * Whether the device has answered everything, or only has buffers to receive into, which it fills in their order and
     * which can be taken back.
     */
    boolean isIdle() {
        // In this order: what is used never overtakes what is available.
        int usedNow = usedIndex();
        int availableNow = availableIndex();
        lookedAtUsed = usedNow;
        return usedNow == availableNow
                || (((availableNow - usedNow) & 0xffff) <= size
                        && onlyReceives(usedNow, availableNow)
                        && usedInOrder(usedNow, availableNow));
    }

    private boolean onlyReceives(int from, int to) {
        for (int index = from; index != to; index = (index + 1) & 0xffff) {
            int head = availableHead(index);
            if (head >= size || !beginsWritable(head)) {
                return false;
            }
        }
        return true;
    }

    /** Readable descriptors stand before writable ones: the first tells. */
    private boolean beginsWritable(int head) {
        long offset = RingLayout.descriptor(head);
        long word = descriptors.get(LONG, offset + RingLayout.DESCRIPTOR_LENGTH);
        int flags = (int) (word >>> 32) & 0xffff;
        if ((flags & RingLayout.INDIRECT) == 0) {
            return (flags & RingLayout.WRITE) != 0;
        }
        try {
            long table = descriptors.get(LONG, offset + RingLayout.DESCRIPTOR_ADDRESS);
            long first = memory.slice(table, RingLayout.DESCRIPTOR_BYTES).get(LONG, RingLayout.DESCRIPTOR_LENGTH);
            return (first >>> 32 & RingLayout.WRITE) != 0;
        } catch (GuestFaultException e) {
            return false;
        }
    }

    /** Whether what was used was used in the order in which it was made available, as far back as the rings tell. */
    private boolean usedInOrder(int usedNow, int availableNow) {
        int known = size - ((availableNow - usedNow) & 0xffff);
        for (int back = 1; back <= known; back++) {
            int index = (usedNow - back) & 0xffff;
            if (availableHead(index) != usedHead(index)) {
                // A ring that has not gone round once has never written those entries.
                return index > usedNow;
            }
        }
        return true;
    }

    /**
     * Where the queue stands once the device was reset.
     *
     * @throws DeviceFaultException where what it answered since the last look is not what it was given first
     */
    QueueState afterReset() throws DeviceFaultException {
        int usedNow = usedIndex();
        int count = (usedNow - lookedAtUsed) & 0xffff;
        if (count > size) {
            throw new DeviceFaultException(
                    "queue %d: the used index went from %d to %d".formatted(queue.index(), lookedAtUsed, usedNow));
        }
        int[] given = new int[count];
        int[] answered = new int[count];
        for (int i = 0; i < count; i++) {
            given[i] = availableHead(lookedAtUsed + i);
            answered[i] = usedHead(lookedAtUsed + i);
        }
        Arrays.sort(given);
        Arrays.sort(answered);
        if (!Arrays.equals(given, answered)) {
            throw new DeviceFaultException(
                    "queue %d: the device was reset with requests in the middle unanswered".formatted(queue.index()));
        }
        return new QueueState.Split(usedNow, usedNow);
    }

    /**
     * Where the queue stands whose device is gone.
     *
     * @throws DeviceFaultException where it answered out of order, so that what it left unanswered cannot be told
     */
    QueueState afterLoss() throws DeviceFaultException {
        int usedNow = usedIndex();
        int availableNow = availableIndex();
        if (((availableNow - usedNow) & 0xffff) > size || !usedInOrder(usedNow, availableNow)) {
            throw new DeviceFaultException("queue %d: the ring does not show which %d requests were left unanswered"
                    .formatted(queue.index(), (availableNow - usedNow) & 0xffff));
        }
        return new QueueState.Split(usedNow, usedNow);
    }
}
