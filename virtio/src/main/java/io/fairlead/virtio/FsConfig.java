package io.fairlead.virtio;

import java.util.List;

/**
 * Feature bits and configuration space of the file system device (virtio 1.4, 5.11.3 and 5.11.4).
 *
 * <pre>{@code
 * struct virtio_fs_config {
 *         char tag[36];
 *         le32 num_request_queues;
 *         le32 notify_buf_size;
 * };
 * }</pre>
 */
public final class FsConfig {
    /** A queue for FUSE notifications. */
    public static final long F_NOTIFICATION = 1L << 0;

    public static final FeatureTable FEATURES = FeatureTable.COMMON.with(F_NOTIFICATION, "NOTIFICATION");

    /** UTF-8, padded with NUL; no NUL where all bytes are in use. */
    public static final ConfigField TAG = new ConfigField("tag", 0, 36, 0);
    /** At least 1; the high-priority queue is not counted. */
    public static final ConfigField NUM_REQUEST_QUEUES = new ConfigField("num_request_queues", 36, 4, 0);

    public static final ConfigField NOTIFY_BUFFER_BYTES = new ConfigField("notify_buf_size", 40, 4, F_NOTIFICATION);

    /** All fields by ascending offset. */
    public static final List<ConfigField> FIELDS = List.of(TAG, NUM_REQUEST_QUEUES, NOTIFY_BUFFER_BYTES);

    /** Bytes of the whole space. */
    public static final int BYTES = 44;

    private FsConfig() {}

    /** The set bits in one line. */
    public static String describe(long features) {
        return FEATURES.describe(features);
    }
}
