package io.fairlead.devices.net;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Which frames a driver wants (virtio 1.4, 5.1.6.5.1 to 5.1.6.5.3). Immutable.
 */
final class ReceiveFilter {
    static final int PROMISC = 1;
    static final int ALLMULTI = 1 << 1;
    static final int ALLUNI = 1 << 2;
    static final int NOMULTI = 1 << 3;
    static final int NOUNI = 1 << 4;
    static final int NOBCAST = 1 << 5;

    /** More addresses than so many of a kind are not compared: then all of that kind are let in. */
    static final int MAX_ADDRESSES = 64;

    static final long BROADCAST = 0xffff_ffff_ffffL;
    private static final long GROUP_BIT = 1L << 40;

    private final int modes;
    private final long mac;
    private final long[] unicast;
    private final long[] multicast;
    private final @Nullable BitSet vlans;

    /**
     * @param modes bit n: what command n of class RX switched on
     * @param mac the device's own address
     * @param unicast further addresses; not changed afterwards
     * @param multicast likewise
     * @param vlans those that are wanted, not changed afterwards; null where the driver does not filter by VLAN
     */
    ReceiveFilter(int modes, long mac, long[] unicast, long[] multicast, @Nullable BitSet vlans) {
        this.modes = modes;
        this.mac = mac;
        this.unicast = unicast;
        this.multicast = multicast;
        this.vlans = vlans;
    }

    /** Lets everything in. */
    static ReceiveFilter all(long mac) {
        return new ReceiveFilter(PROMISC, mac, new long[0], new long[0], null);
    }

    static boolean isGroup(long mac) {
        return (mac & GROUP_BIT) != 0;
    }

    boolean accepts(OutgoingFrame frame) {
        return (modes & PROMISC) != 0
                || (accepts(frame.destination()) && (vlans == null || acceptsVlan(frame.vlanId())));
    }

    /** Whether frames without a VLAN tag to an address are wanted. */
    boolean accepts(long destination) {
        if ((modes & PROMISC) != 0) {
            return true;
        }
        if (destination == BROADCAST) {
            return (modes & NOBCAST) == 0;
        }
        if (isGroup(destination)) {
            return (modes & NOMULTI) == 0 && ((modes & ALLMULTI) != 0 || isAmong(multicast, destination));
        }
        return (modes & NOUNI) == 0 && ((modes & ALLUNI) != 0 || destination == mac || isAmong(unicast, destination));
    }

    private static boolean isAmong(long[] addresses, long mac) {
        if (addresses.length > MAX_ADDRESSES) {
            return true;
        }
        for (long address : addresses) {
            if (address == mac) {
                return true;
            }
        }
        return false;
    }

    /** Whether a frame to an address is wanted, in a VLAN or, with -1, in none. */
    boolean accepts(long destination, int vlan) {
        return (modes & PROMISC) != 0 || (accepts(destination) && acceptsVlan(vlan));
    }

    /** Whether frames of a VLAN are wanted; -1 for those without. */
    boolean acceptsVlan(int vlan) {
        return vlan < 0 || vlans == null || vlans.get(vlan);
    }
}
