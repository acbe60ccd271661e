package io.fairlead.vhostuser.protocol;

import io.fairlead.virtio.QueueState;

/** A queue's state as a peer's GET_VRING_BASE and SET_VRING_BASE carry it ({@link QueueState#vringBase()}). */
public final class VringBase {
    private VringBase() {}

    /** Checks and reads what a peer sent. */
    public static QueueState decode(int base, boolean packed) throws ProtocolException {
        if (!packed && base >>> 16 != 0) {
            throw new ProtocolException("base " + Integer.toUnsignedString(base) + " of a split ring is above 65535");
        }
        return QueueState.ofVringBase(base, packed);
    }
}
