package io.fairlead.devices.net;

/** What decides of a device whether a frame reaches its driver. Set by the device, read by any thread. */
final class NetPort {
    final DropCounters drops = new DropCounters();

    volatile ReceiveFilter filter;
    volatile boolean linkUp;

    /** The most bytes of a frame without its Ethernet header; tags do not count. */
    volatile int mtuBytes;

    /** GUEST_ feature bits that the driver wants now. */
    volatile long offloads;

    NetPort(ReceiveFilter filter, boolean linkUp, int mtuBytes) {
        this.filter = filter;
        this.linkUp = linkUp;
        this.mtuBytes = mtuBytes;
    }

    /** Whether a frame from another device goes to this one's driver; counts those that do not. */
    boolean accepts(OutgoingFrame frame) {
        if (!linkUp) {
            drops.linkDown.increment();
            return false;
        }
        if (!frame.isSegmented() && isTooLong(frame.frameBytes(), frame)) {
            drops.tooLong.increment();
            return false;
        }
        if (!filter.accepts(frame)) {
            drops.filtered.increment();
            return false;
        }
        return true;
    }

    private boolean isTooLong(int frameBytes, OutgoingFrame frame) {
        int room = mtuBytes + PacketLayout.ETHERNET_BYTES;
        return frameBytes > room && frameBytes > room + frame.vlanTags() * PacketLayout.VLAN_BYTES;
    }
}
