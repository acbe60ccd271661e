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

    private static void requireRange(int value, int max, String what) {
        if (value < 0 || value > max) {
            throw new IllegalArgumentException(what + " " + value + " is not in 0.." + max);
        }
    }
}
