package io.fairlead.virtio;

import java.util.List;

/**
 * Feature bits and configuration space of the network device (virtio 1.4, 5.1.3 and 5.1.4).
 *
 * <pre>{@code
 * struct virtio_net_config {
 *         u8 mac[6];
 *         le16 status;
 *         le16 max_virtqueue_pairs;
 *         le16 mtu;
 *         le32 speed;
 *         u8 duplex;
 *         u8 rss_max_key_size;
 *         le16 rss_max_indirection_table_length;
 *         le32 supported_hash_types;
 *         le32 supported_tunnel_types;
 * };
 * }</pre>
 */
public final class NetConfig {
    public static final long F_CSUM = 1L << 0;
    public static final long F_GUEST_CSUM = 1L << 1;
    public static final long F_CTRL_GUEST_OFFLOADS = 1L << 2;
    public static final long F_MTU = 1L << 3;
    public static final long F_MAC = 1L << 5;
    /** Legacy: packets of any GSO type. */
    public static final long F_GSO = 1L << 6;

    public static final long F_GUEST_TSO4 = 1L << 7;
    public static final long F_GUEST_TSO6 = 1L << 8;
    public static final long F_GUEST_ECN = 1L << 9;
    public static final long F_GUEST_UFO = 1L << 10;
    public static final long F_HOST_TSO4 = 1L << 11;
    public static final long F_HOST_TSO6 = 1L << 12;
    public static final long F_HOST_ECN = 1L << 13;
    public static final long F_HOST_UFO = 1L << 14;
    public static final long F_MRG_RXBUF = 1L << 15;
    public static final long F_STATUS = 1L << 16;
    public static final long F_CTRL_VQ = 1L << 17;
    public static final long F_CTRL_RX = 1L << 18;
    public static final long F_CTRL_VLAN = 1L << 19;
    public static final long F_CTRL_RX_EXTRA = 1L << 20;
    public static final long F_GUEST_ANNOUNCE = 1L << 21;
    public static final long F_MQ = 1L << 22;
    public static final long F_CTRL_MAC_ADDR = 1L << 23;
    public static final long F_DEVICE_STATS = 1L << 50;
    public static final long F_HASH_TUNNEL = 1L << 51;
    public static final long F_VQ_NOTF_COAL = 1L << 52;
    public static final long F_NOTF_COAL = 1L << 53;
    public static final long F_GUEST_USO4 = 1L << 54;
    public static final long F_GUEST_USO6 = 1L << 55;
    public static final long F_HOST_USO = 1L << 56;
    public static final long F_HASH_REPORT = 1L << 57;
    public static final long F_GUEST_HDRLEN = 1L << 59;
    public static final long F_RSS = 1L << 60;
    public static final long F_RSC_EXT = 1L << 61;
    public static final long F_STANDBY = 1L << 62;
    public static final long F_SPEED_DUPLEX = 1L << 63;

    public static final FeatureTable FEATURES = FeatureTable.COMMON
            .with(F_CSUM, "CSUM")
            .with(F_GUEST_CSUM, "GUEST_CSUM")
            .with(F_CTRL_GUEST_OFFLOADS, "CTRL_GUEST_OFFLOADS")
            .with(F_MTU, "MTU")
            .with(F_MAC, "MAC")
            .with(F_GSO, "GSO")
            .with(F_GUEST_TSO4, "GUEST_TSO4")
            .with(F_GUEST_TSO6, "GUEST_TSO6")
            .with(F_GUEST_ECN, "GUEST_ECN")
            .with(F_GUEST_UFO, "GUEST_UFO")
            .with(F_HOST_TSO4, "HOST_TSO4")
            .with(F_HOST_TSO6, "HOST_TSO6")
            .with(F_HOST_ECN, "HOST_ECN")
            .with(F_HOST_UFO, "HOST_UFO")
            .with(F_MRG_RXBUF, "MRG_RXBUF")
            .with(F_STATUS, "STATUS")
            .with(F_CTRL_VQ, "CTRL_VQ")
            .with(F_CTRL_RX, "CTRL_RX")
            .with(F_CTRL_VLAN, "CTRL_VLAN")
            .with(F_CTRL_RX_EXTRA, "CTRL_RX_EXTRA")
            .with(F_GUEST_ANNOUNCE, "GUEST_ANNOUNCE")
            .with(F_MQ, "MQ")
            .with(F_CTRL_MAC_ADDR, "CTRL_MAC_ADDR")
            .with(F_DEVICE_STATS, "DEVICE_STATS")
            .with(F_HASH_TUNNEL, "HASH_TUNNEL")
            .with(F_VQ_NOTF_COAL, "VQ_NOTF_COAL")
            .with(F_NOTF_COAL, "NOTF_COAL")
            .with(F_GUEST_USO4, "GUEST_USO4")
            .with(F_GUEST_USO6, "GUEST_USO6")
            .with(F_HOST_USO, "HOST_USO")
            .with(F_HASH_REPORT, "HASH_REPORT")
            .with(F_GUEST_HDRLEN, "GUEST_HDRLEN")
            .with(F_RSS, "RSS")
            .with(F_RSC_EXT, "RSC_EXT")
            .with(F_STANDBY, "STANDBY")
            .with(F_SPEED_DUPLEX, "SPEED_DUPLEX");

    /** Always there, meaningful with {@link #F_MAC}; an array of bytes. */
    public static final ConfigField MAC = new ConfigField("mac", 0, 6, 0);
    /** {@link #STATUS_LINK_UP} and {@link #STATUS_ANNOUNCE}. */
    public static final ConfigField STATUS = new ConfigField("status", 6, 2, F_STATUS);
    /** From 1 to 0x8000. */
    public static final ConfigField MAX_VIRTQUEUE_PAIRS = new ConfigField("max_virtqueue_pairs", 8, 2, F_MQ | F_RSS);

    public static final ConfigField MTU_BYTES = new ConfigField("mtu", 10, 2, F_MTU);
    /** Mbit/s, 0xffffffff where unknown. */
    public static final ConfigField SPEED_MEGABITS = new ConfigField("speed", 12, 4, F_SPEED_DUPLEX);
    /** 0 for half, 1 for full, 0xff where unknown. */
    public static final ConfigField DUPLEX = new ConfigField("duplex", 16, 1, F_SPEED_DUPLEX);

    public static final ConfigField RSS_MAX_KEY_BYTES =
            new ConfigField("rss_max_key_size", 17, 1, F_RSS | F_HASH_REPORT);
    /** 16-bit entries. */
    public static final ConfigField RSS_MAX_INDIRECTION_TABLE_LENGTH =
            new ConfigField("rss_max_indirection_table_length", 18, 2, F_RSS);

    public static final ConfigField SUPPORTED_HASH_TYPES =
            new ConfigField("supported_hash_types", 20, 4, F_RSS | F_HASH_REPORT);
    public static final ConfigField SUPPORTED_TUNNEL_TYPES =
            new ConfigField("supported_tunnel_types", 24, 4, F_HASH_TUNNEL);

    /** All fields by ascending offset. */
    public static final List<ConfigField> FIELDS = List.of(
            MAC,
            STATUS,
            MAX_VIRTQUEUE_PAIRS,
            MTU_BYTES,
            SPEED_MEGABITS,
            DUPLEX,
            RSS_MAX_KEY_BYTES,
            RSS_MAX_INDIRECTION_TABLE_LENGTH,
            SUPPORTED_HASH_TYPES,
            SUPPORTED_TUNNEL_TYPES);

    /** Bytes of the whole space. */
    public static final int BYTES = 28;

    public static final int STATUS_LINK_UP = 1;
    public static final int STATUS_ANNOUNCE = 2;

    private NetConfig() {}

    /** The set bits in one line. */
    public static String describe(long features) {
        return FEATURES.describe(features);
    }
}
