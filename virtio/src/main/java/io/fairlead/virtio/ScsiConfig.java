package io.fairlead.virtio;

import java.util.List;

/**
 * Feature bits and configuration space of the SCSI host (virtio 1.4, 5.6.3 and 5.6.4).
 *
 * <pre>{@code
 * struct virtio_scsi_config {
 *         le32 num_queues;
 *         le32 seg_max;
 *         le32 max_sectors;
 *         le32 cmd_per_lun;
 *         le32 event_info_size;
 *         le32 sense_size;
 *         le32 cdb_size;
 *         le16 max_channel;
 *         le16 max_target;
 *         le32 max_lun;
 * };
 * }</pre>
 */
public final class ScsiConfig {
    /** A request may have both data to read and data to write. */
    public static final long F_INOUT = 1L << 0;

    public static final long F_HOTPLUG = 1L << 1;
    public static final long F_CHANGE = 1L << 2;
    public static final long F_T10_PI = 1L << 3;

    public static final FeatureTable FEATURES = FeatureTable.COMMON
            .with(F_INOUT, "INOUT")
            .with(F_HOTPLUG, "HOTPLUG")
            .with(F_CHANGE, "CHANGE")
            .with(F_T10_PI, "T10_PI");

    /** Request queues; the control and the event queue come before them. */
    public static final ConfigField NUM_QUEUES = new ConfigField("num_queues", 0, 4, 0);

    public static final ConfigField SEG_MAX = new ConfigField("seg_max", 4, 4, 0);
    /** Most sectors of one request, a hint. */
    public static final ConfigField MAX_SECTORS = new ConfigField("max_sectors", 8, 4, 0);

    public static final ConfigField CMD_PER_LUN = new ConfigField("cmd_per_lun", 12, 4, 0);
    public static final ConfigField EVENT_INFO_BYTES = new ConfigField("event_info_size", 16, 4, 0);
    /** Written by the driver; {@link #DEFAULT_SENSE_BYTES} after a reset. */
    public static final ConfigField SENSE_BYTES = new ConfigField("sense_size", 20, 4, 0);
    /** Written by the driver; {@link #DEFAULT_CDB_BYTES} after a reset. */
    public static final ConfigField CDB_BYTES = new ConfigField("cdb_size", 24, 4, 0);

    public static final ConfigField MAX_CHANNEL = new ConfigField("max_channel", 28, 2, 0);
    public static final ConfigField MAX_TARGET = new ConfigField("max_target", 30, 2, 0);
    public static final ConfigField MAX_LUN = new ConfigField("max_lun", 32, 4, 0);

    /** All fields by ascending offset. */
    public static final List<ConfigField> FIELDS = List.of(
            NUM_QUEUES,
            SEG_MAX,
            MAX_SECTORS,
            CMD_PER_LUN,
            EVENT_INFO_BYTES,
            SENSE_BYTES,
            CDB_BYTES,
            MAX_CHANNEL,
            MAX_TARGET,
            MAX_LUN);

    /** Bytes of the whole space. */
    public static final int BYTES = 36;

    public static final int DEFAULT_SENSE_BYTES = 96;
    public static final int DEFAULT_CDB_BYTES = 32;

    private ScsiConfig() {}

    /** The set bits in one line. */
    public static String describe(long features) {
        return FEATURES.describe(features);
    }
}
