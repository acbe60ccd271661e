package io.fairlead.devices.vsock;

import io.fairlead.virtio.VsockPacket;

/**
 * RST packets that answer what belongs to no connection, until the guest has buffers for them: the resources outside of
 * the virtqueue, of which there may only be so many (virtio 1.4, 5.10.6.1.1). One thread.
 */
final class PendingResets {
    static final int CAPACITY = 256;

    private final long[] cids = new long[CAPACITY];
    private final int[] hostPorts = new int[CAPACITY];
    private final int[] guestPorts = new int[CAPACITY];
    private final int[] types = new int[CAPACITY];
    private int first;
    private int count;

    boolean isEmpty() {
        return count == 0;
    }

    boolean isFull() {
        return count == CAPACITY;
    }

    /** Adds the answer to a packet; the caller knows that there is room. */
    void answer(PacketHeader packet) {
        int at = (first + count) % CAPACITY;
        cids[at] = packet.dstCid;
        hostPorts[at] = packet.dstPort;
        guestPorts[at] = packet.srcPort;
        types[at] = packet.type;
        count++;
    }

    /** Takes the oldest. */
    void take(PacketHeader header, long guestCid) {
        header.set(cids[first], guestCid, hostPorts[first], guestPorts[first], types[first], VsockPacket.OP_RST);
        first = (first + 1) % CAPACITY;
        count--;
    }

    void clear() {
        count = 0;
    }
}
