package io.fairlead.virtio;

/**
 * Commands of a network device's control queue (virtio 1.4, 5.1.6.5): class, command and data are device-readable, one
 * byte of acknowledgement is device-writable.
 */
public final class NetControl {
    public static final int OK = 0;
    public static final int ERROR = 1;

    /** Class and command. */
    public static final int HEADER_BYTES = 2;

    /** Receive filtering: one byte, 0 or 1. */
    public static final int RX = 0;

    public static final int RX_PROMISC = 0;
    public static final int RX_ALLMULTI = 1;
    public static final int RX_ALLUNI = 2;
    public static final int RX_NOMULTI = 3;
    public static final int RX_NOUNI = 4;
    public static final int RX_NOBCAST = 5;

    public static final int MAC = 1;
    /** Two tables, unicast and multicast: a le32 count and so many addresses of 6 bytes each. */
    public static final int MAC_TABLE_SET = 0;
    /** 6 bytes. */
    public static final int MAC_ADDR_SET = 1;

    /** Filtering by VLAN: a le16. */
    public static final int VLAN = 2;

    public static final int VLAN_ADD = 0;
    public static final int VLAN_DEL = 1;

    public static final int ANNOUNCE = 3;
    public static final int ANNOUNCE_ACK = 0;

    public static final int MQ = 4;
    /** How many queue pairs are used: a le16. */
    public static final int MQ_VQ_PAIRS_SET = 0;

    public static final int GUEST_OFFLOADS = 5;
    /** A le64 of feature bits. */
    public static final int GUEST_OFFLOADS_SET = 0;

    private NetControl() {}
}
