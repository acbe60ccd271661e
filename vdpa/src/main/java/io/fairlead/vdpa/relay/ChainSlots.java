package io.fairlead.vdpa.relay;

import io.fairlead.linux.Mapping;
import io.fairlead.virtio.DescriptorChain;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The chains that one relayed queue took from the guest, each in a slot whose number goes with it to the device and
 * back. Made when first needed and used again youngest first.
 *
 * <p>One thread at a time.
 */
final class ChainSlots implements AutoCloseable {
    /** The most chains of one queue that the device has at a time. */
    private static final int MAX_CHAINS = 4096;

    /** One cache line more than the segments take, so that the chains' first segments lie in different cache sets. */
    private static final long STRIDE_BYTES = DescriptorChain.IOVEC_BYTES + 64;

    private final Mapping mapping;
    private final @Nullable DescriptorChain[] chains;

    /** The number of the chain in the order of taking; meaningless in a free slot. */
    private final long[] sequences;

    private final boolean[] used;
    private final boolean[] takenOver;
    private final int[] free;
    private int freeCount;
    private int madeCount;
    private int usedCount;
    private long taken;

    ChainSlots(int queueSize) throws IOException {
        int capacity = Math.min(queueSize, MAX_CHAINS);
        chains = new DescriptorChain[capacity];
        sequences = new long[capacity];
        used = new boolean[capacity];
        takenOver = new boolean[capacity];
        free = new int[capacity];
        mapping = Mapping.anonymous(capacity * STRIDE_BYTES);
    }

    /** The slot that {@link #take} takes next; -1 where all are in use. */
    int peek() {
        if (freeCount > 0) {
            return free[freeCount - 1];
        }
        if (madeCount == chains.length) {
            return -1;
        }
        chains[madeCount] =
                new DescriptorChain(mapping.segment().asSlice(madeCount * STRIDE_BYTES, DescriptorChain.IOVEC_BYTES));
        free[freeCount++] = madeCount;
        return madeCount++;
    }

    /**
     * Takes the slot that {@link #peek} told.
     *
     * @param fromOthers whether its chain was left in flight by somebody else
     */
    void take(boolean fromOthers) {
        int slot = free[--freeCount];
        sequences[slot] = taken++;
        used[slot] = true;
        takenOver[slot] = fromOthers;
        usedCount++;
    }

    DescriptorChain chain(int slot) {
        DescriptorChain chain = chains[slot];
        if (chain == null) {
            throw new IllegalStateException("slot " + slot + " was never used");
        }
        return chain;
    }

    /** Whether a slot's chain was left in flight by somebody else. */
    boolean isTakenOver(int slot) {
        return takenOver[slot];
    }

    void giveBack(int slot) {
        used[slot] = false;
        usedCount--;
        free[freeCount++] = slot;
    }

    /** Chains taken and not given back. */
    int usedCount() {
        return usedCount;
    }

    /** Whether the chains not given back are those that were taken last, with no gap. */
    boolean isTail() {
        for (int slot = 0; slot < madeCount; slot++) {
            if (used[slot] && sequences[slot] < taken - usedCount) {
                return false;
            }
        }
        return true;
    }

    /** Whether no chain that was not given back has anything for the device to read, as where it waits to receive. */
    boolean onlyReceive() {
        for (int slot = 0; slot < madeCount; slot++) {
            if (used[slot] && chain(slot).readableBytes() > 0) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        mapping.close();
    }
}
