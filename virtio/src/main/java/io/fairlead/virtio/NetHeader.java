package io.fairlead.virtio;

/**
 * The header before each packet of a network device (virtio 1.4, 5.1.6), in the form of VERSION_1: always 12 bytes.
 *
 * <pre>{@code
 * struct virtio_net_hdr {
 *         u8 flags;
 *         u8 gso_type;
 *         le16 hdr_len;
 *         le16 gso_size;
 *         le16 csum_start;
 *         le16 csum_offset;
 *         le16 num_buffers;
 * };
 * }</pre>
 */
public final class NetHeader {
    public static final int BYTES = 12;

    public static final int FLAGS_OFFSET = 0;
    public static final int GSO_TYPE_OFFSET = 1;

    /** Bytes of all headers of a packet that is to be segmented; a hint. */
    public static final int HDR_LEN_OFFSET = 2;

    /** Payload bytes of each segment. */
    public static final int GSO_SIZE_OFFSET = 4;

    /** From where on the checksum is computed, counted from the start of the packet. */
    public static final int CSUM_START_OFFSET = 6;

    /** Where the checksum goes, counted from {@code csum_start}. */
    public static final int CSUM_OFFSET_OFFSET = 8;

    /** Towards the driver: how many buffers the packet takes. */
    public static final int NUM_BUFFERS_OFFSET = 10;

    /** The checksum is to be computed; the packet has that of the pseudo header in its place. */
    public static final int F_NEEDS_CSUM = 1;

    /** Towards the driver: the checksum was checked. */
    public static final int F_DATA_VALID = 2;

    public static final int F_RSC_INFO = 4;

    public static final int GSO_NONE = 0;
    public static final int GSO_TCPV4 = 1;
    public static final int GSO_UDP = 3;
    public static final int GSO_TCPV6 = 4;
    public static final int GSO_UDP_L4 = 5;

    /** Besides one of TCP: the first segment alone has CWR. */
    public static final int GSO_ECN = 0x80;

    private NetHeader() {}
}
