package io.fairlead.virtio;

/**
 * Where a stopped virtqueue stands: enough, with the rings in guest memory, to go on elsewhere. The same fields as the
 * kernel's {@code struct vdpa_vq_state}.
 */
public sealed interface QueueState {
    /**
     * Split ring, 16-bit free-running indices (virtio 1.4, 2.7).
     *
     * @param availableIndex the next entry of the available ring that the device takes
     * @param usedIndex the next entry of the used ring that the device writes; the ring in guest memory holds it too
     */
    record Split(int availableIndex, int usedIndex) implements QueueState {
        public Split {
            requireRange(availableIndex, 0xffff, "availableIndex");
            requireRange(usedIndex, 0xffff, "usedIndex");
        }
    }

    /**
     * Packed ring (virtio 1.4, 2.8): positions below the queue size, each with its wrap counter, which starts at true.
     */
    record Packed(int availableIndex, boolean availableWrap, int usedIndex, boolean usedWrap) implements QueueState {
        public Packed {
            requireRange(availableIndex, 0x7fff, "availableIndex");
            requireRange(usedIndex, 0x7fff, "usedIndex");
        }

        /** The same place in the ring, where every request before it is done. */
        public Packed allDone() {
            return new Packed(availableIndex, availableWrap, availableIndex, availableWrap);
        }
    }

    /** The state of a queue that never ran, in the layout that the features ask for. */
    static QueueState initial(boolean packed) {
        return packed ? new Packed(0, true, 0, true) : new Split(0, 0);
    }

    /**
     * Where a queue stands as vhost carries it, to user space and in the kernel (GET_VRING_BASE and SET_VRING_BASE). Split: the
     * available index. Packed: bits 0 to 14 the available index, 15 its wrap counter, 16 to 30 the used index, 31 its wrap
     * counter.
     */
    default int vringBase() {
        return switch (this) {
            case Split split -> split.availableIndex();
            case Packed packed ->
                packed.availableIndex()
                        | (packed.availableWrap() ? 1 << 15 : 0)
                        | packed.usedIndex() << 16
                        | (packed.usedWrap() ? 1 << 31 : 0);
        };
    }

    /** The other way; the used index of a split ring is not carried, the queue finds it in the ring. */
    static QueueState ofVringBase(int base, boolean packed) {
        return packed
                ? new Packed(base & 0x7fff, (base & 1 << 15) != 0, base >>> 16 & 0x7fff, (base & 1 << 31) != 0)
                : new Split(base & 0xffff, base & 0xffff);
    }

    private static void requireRange(int value, int max, String what) {
        if (value < 0 || value > max) {
            throw new IllegalArgumentException(what + " " + value + " is not in 0.." + max);
        }
    }
}
