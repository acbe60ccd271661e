package io.fairlead.devices.vsock;

import java.util.concurrent.atomic.LongAdder;

/** What became of connections and packets that were not in order. Written on the device's loop, read by any thread. */
final class VsockCounters {
    /** Connections that were open. */
    final LongAdder opened = new LongAdder();

    /** Connections refused: nobody listens, or there are too many. */
    final LongAdder refused = new LongAdder();

    /** Half-open connections that nobody completed in time, and those that a guest did not end in time. */
    final LongAdder timedOut = new LongAdder();

    /** Connections reset because the guest sent more than there was room for. */
    final LongAdder overCredit = new LongAdder();

    /** Packets of no sense: another's address, an unknown type or operation, a length beyond the buffer. */
    final LongAdder malformed = new LongAdder();

    @Override
    public String toString() {
        return "%d opened, %d refused, %d timed out, %d reset over credit, %d malformed packets"
                .formatted(opened.sum(), refused.sum(), timedOut.sum(), overCredit.sum(), malformed.sum());
    }
}
