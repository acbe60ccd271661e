package io.fairlead.virtio;

import java.util.List;

/**
 * Feature bits and configuration space of the socket device (virtio 1.4, 5.10.3 and 5.10.4).
 *
 * <pre>{@code
 * struct virtio_vsock_config {
 *         le64 guest_cid;
 * };
 * }</pre>
 */
public final class VsockConfig {
    public static final long F_STREAM = 1L << 0;
    public static final long F_SEQPACKET = 1L << 1;
    public static final long F_NO_IMPLIED_STREAM = 1L << 2;

    public static final FeatureTable FEATURES = FeatureTable.COMMON
            .with(F_STREAM, "STREAM")
            .with(F_SEQPACKET, "SEQPACKET")
            .with(F_NO_IMPLIED_STREAM, "NO_IMPLIED_STREAM");

    /** The upper 32 bits are 0; 0, 1, 2 and 0xffffffff are reserved. */
    public static final ConfigField GUEST_CID = new ConfigField("guest_cid", 0, 8, 0);

    /** All fields by ascending offset. */
    public static final List<ConfigField> FIELDS = List.of(GUEST_CID);

    /** Bytes of the whole space. */
    public static final int BYTES = 8;

    private VsockConfig() {}

    /** The set bits in one line. */
    public static String describe(long features) {
        return FEATURES.describe(features);
    }
}
