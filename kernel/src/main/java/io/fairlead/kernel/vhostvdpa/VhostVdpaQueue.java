package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.virtio.QueueState;
import org.jspecify.annotations.Nullable;

/** What the driver and its front-end settled for one queue. Under the device's lock. */
final class VhostVdpaQueue {
    private static final int WRAP = 1 << 15;
    private static final int INDEX_MASK = WRAP - 1;

    final int index;
    final int maxSize;
    int size;
    long descriptorAddress;
    long driverAddress;
    long deviceAddress;

    /** Where to start, or where the last run ended; null for the initial state. */
    @Nullable
    QueueState state;

    @Nullable
    EventFd kick;

    @Nullable
    EventFd call;

    boolean ready;

    /** Whether the device serves it now. */
    boolean running;

    VhostVdpaQueue(int index, int maxSize) {
        this.index = index;
        this.maxSize = maxSize;
        size = maxSize;
    }

    QueueState stateFor(boolean packed) {
        QueueState known = state;
        return known != null ? known : QueueState.initial(packed);
    }

    /** The state as {@code struct vhost_vring_state} has it, split or packed. */
    static int encode(QueueState state) {
        return switch (state) {
            case QueueState.Split split -> split.availableIndex();
            case QueueState.Packed packed ->
                position(packed.availableIndex(), packed.availableWrap())
                        | position(packed.usedIndex(), packed.usedWrap()) << 16;
        };
    }

    private static int position(int index, boolean wrap) {
        return index | (wrap ? WRAP : 0);
    }

    /** The other way. Of a split ring the kernel has one index: what the device took is answered. */
    static QueueState decode(int base, boolean packed) {
        if (!packed) {
            return new QueueState.Split(base & 0xffff, base & 0xffff);
        }
        int used = base >>> 16;
        return new QueueState.Packed(base & INDEX_MASK, (base & WRAP) != 0, used & INDEX_MASK, (used & WRAP) != 0);
    }

    QueueSetup setup() {
        return new QueueSetup(size, descriptorAddress, driverAddress, deviceAddress);
    }

    /** Forgets everything the driver set; kick and call are the front-end's and stay. */
    void reset() {
        size = maxSize;
        descriptorAddress = 0;
        driverAddress = 0;
        deviceAddress = 0;
        state = null;
        ready = false;
        running = false;
    }

    void closeDescriptors() {
        if (kick != null) {
            kick.close();
            kick = null;
        }
        if (call != null) {
            call.close();
            call = null;
        }
    }
}
