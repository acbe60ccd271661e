package io.fairlead.vhostuser;

import io.fairlead.linux.EventFd;
import io.fairlead.virtio.QueueState;
import org.jspecify.annotations.Nullable;

/** What a client told of one ring. Used by the session's thread; {@link #signalError} by any. */
final class Vring {
    int size;
    Payload.@Nullable VringAddress address;

    /** Where to go on, as the protocol packs it (see {@link #encode}). */
    int base;

    /** A kick descriptor came (or the word that none will): the ring runs as soon as it is enabled. */
    boolean started;

    boolean enabled;
    private @Nullable EventFd error;

    /** Forgets all but where to signal errors. */
    void reset() {
        size = 0;
        address = null;
        base = 0;
        started = false;
        enabled = false;
    }

    synchronized void error(@Nullable EventFd newError) {
        if (error != null) {
            error.close();
        }
        error = newError;
    }

    synchronized void signalError() {
        if (error != null) {
            error.signal();
        }
    }

    /**
     * A queue's state as GET_VRING_BASE and SET_VRING_BASE carry it. Split: the available index. Packed: bits 0 to 14 the
     * available index, 15 its wrap counter, 16 to 30 the used index, 31 its wrap counter.
     */
    static int encode(QueueState state) {
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
    static QueueState decode(int base, boolean packed) throws ProtocolException {
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
