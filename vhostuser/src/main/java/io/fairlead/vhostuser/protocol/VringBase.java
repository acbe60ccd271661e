package io.fairlead.vhostuser.protocol;

import io.fairlead.virtio.QueueState;

/** A queue's state as GET_VRING_BASE and SET_VRING_BASE carry it. */
public final class VringBase {
    private VringBase() {}

    /**
     * Packs a state. Split: the available index. Packed: bits 0 to 14 the
     * available index, 15 its wrap counter, 16 to 30 the used index, 31 its wrap counter.
     */
    public static int encode(QueueState state) {
        return switch (state) {
            case QueueState.Split split -> split.availableIndex();
            case QueueState.Packed packed ->
                packed.availableIndex()
                        | (packed.availableWrap() ? 1 << 15 : 0)
                        | packed.usedIndex() << 16
                        | (packed.usedWrap() ? 1 << 31 : 0);
        };
    }

    /** The other way; the used index of a split ring is not carried, the queue finds it in the ring. */
    public static QueueState decode(int base, boolean packed) throws ProtocolException {
        if (packed) {
            return new QueueState.Packed(
                    base & 0x7fff, (base & 1 << 15) != 0, base >>> 16 & 0x7fff, (base & 1 << 31) != 0);
        }
        if (base >>> 16 != 0) {
            throw new ProtocolException("base " + Integer.toUnsignedString(base) + " of a split ring is above 65535");
        }
        return new QueueState.Split(base, base);
    }
}
