package io.fairlead.devices.vsock;

/**
 * How much each side of a connection may send (virtio 1.4, 5.10.6.3): counters of bytes that run over, and what each has
 * told the other. One thread.
 */
final class Credit {
    /** The guest is told of room when there is so much that it does not know of. */
    private static final int STEP_BYTES = Connection.BUFFER_BYTES / 2;

    private int sentToGuest;
    private int guestRoom;
    private int guestForwarded;
    private int receivedFromGuest;
    private int forwarded;
    private int forwardedSaid;

    /** Takes what a packet of the guest's says. */
    void take(PacketHeader packet) {
        guestRoom = packet.bufAlloc;
        guestForwarded = packet.fwdCnt;
    }

    /** What the guest has room for, at most a packet; 0 also where its numbers make no sense. */
    int guestFreeBytes() {
        long used = Integer.toUnsignedLong(sentToGuest - guestForwarded);
        return Math.clamp(Integer.toUnsignedLong(guestRoom) - used, 0, Connection.MAX_PACKET_BYTES);
    }

    void sent(int byteCount) {
        sentToGuest += byteCount;
    }

    /**
     * The guest has sent something.
     *
     * @return whether it may
     */
    boolean received(int byteCount) {
        if (byteCount > Connection.BUFFER_BYTES - (receivedFromGuest - forwarded)) {
            return false;
        }
        receivedFromGuest += byteCount;
        return true;
    }

    /** Something of what the guest has sent needs no room any more. */
    void forwarded(int byteCount) {
        forwarded += byteCount;
    }

    /** Whether the guest is to be told, whatever else there is to say. */
    boolean isDue() {
        return forwarded - forwardedSaid >= STEP_BYTES;
    }

    /** Puts our side into a packet for the guest. */
    void say(PacketHeader packet) {
        packet.bufAlloc = Connection.BUFFER_BYTES;
        packet.fwdCnt = forwarded;
        forwardedSaid = forwarded;
    }
}
