package io.fairlead.devices.net;

import java.util.concurrent.atomic.LongAdder;

/** Why frames for or from a device were dropped. Any thread. */
final class DropCounters {
    final LongAdder malformed = new LongAdder();
    final LongAdder filtered = new LongAdder();
    final LongAdder tooLong = new LongAdder();
    final LongAdder noRoom = new LongAdder();
    final LongAdder linkDown = new LongAdder();

    NetDrops snapshot() {
        return new NetDrops(malformed.sum(), filtered.sum(), tooLong.sum(), noRoom.sum(), linkDown.sum());
    }
}
