package io.fairlead.kernel.vduse;

import io.fairlead.virtio.QueueState;

/** Where a queue stands, as VDUSE's messages carry it (see {@link io.fairlead.linux.Vduse}). */
final class RingState {
    private static final int SLOT_MASK = 0x7fff;

    private RingState() {}

    static long encode(QueueState state) {
        return switch (state) {
            case QueueState.Split split -> split.availableIndex();
            case QueueState.Packed packed ->
                (packed.availableWrap() ? 1L : 0)
                        | (long) packed.availableIndex() << 16
                        | (packed.usedWrap() ? 1L << 32 : 0)
                        | (long) packed.usedIndex() << 48;
        };
    }

    /** The used index of a split ring is not carried; the queue finds it in the ring. */
    static QueueState decode(long state, boolean packed) {
        return packed
                ? new QueueState.Packed(
                        (int) (state >>> 16) & SLOT_MASK,
                        (state & 1) != 0,
                        (int) (state >>> 48) & SLOT_MASK,
                        (state & 1L << 32) != 0)
                : new QueueState.Split((int) state & 0xffff, (int) state & 0xffff);
    }
}
