package io.fairlead.virtio;

import java.util.List;

/**
 * Feature bits and configuration space of the block device (virtio 1.4, 5.2.3 and 5.2.4). Sectors are of 512 bytes
 * whatever the block size.
 *
 * <pre>{@code
 * struct virtio_blk_config {
 *         le64 capacity;
 *         le32 size_max;
 *         le32 seg_max;
 *         struct { le16 cylinders; u8 heads; u8 sectors; } geometry;
 *         le32 blk_size;
 *         u8 physical_block_exp;
 *         u8 alignment_offset;
 *         le16 min_io_size;
 *         le32 opt_io_size;
 *         u8 wce;
 *         u8 unused0;
 *         le16 num_queues;
 *         le32 max_discard_sectors;
 *         le32 max_discard_seg;
 *         le32 discard_sector_alignment;
 *         le32 max_write_zeroes_sectors;
 *         le32 max_write_zeroes_seg;
 *         u8 write_zeroes_may_unmap;
 *         u8 unused1[3];
 *         le32 max_secure_erase_sectors;
 *         le32 max_secure_erase_seg;
 *         le32 secure_erase_sector_alignment;
 *         struct {
 *                 le32 zone_sectors;
 *                 le32 max_open_zones;
 *                 le32 max_active_zones;
 *                 le32 max_append_sectors;
 *                 le32 write_granularity;
 *                 u8 model;
 *                 u8 unused2[3];
 *         } zoned;
 * };
 * }</pre>
 */
public final class BlkConfig {
    /** Legacy: request barriers. */
    public static final long F_BARRIER = 1L;

    public static final long F_SIZE_MAX = 1L << 1;
    public static final long F_SEG_MAX = 1L << 2;
    public static final long F_GEOMETRY = 1L << 4;
    public static final long F_RO = 1L << 5;
    public static final long F_BLK_SIZE = 1L << 6;

    /** Legacy: SCSI packet commands. */
    public static final long F_SCSI = 1L << 7;

    public static final long F_FLUSH = 1L << 9;
    public static final long F_TOPOLOGY = 1L << 10;
    public static final long F_CONFIG_WCE = 1L << 11;
    public static final long F_MQ = 1L << 12;
    public static final long F_DISCARD = 1L << 13;
    public static final long F_WRITE_ZEROES = 1L << 14;
    public static final long F_LIFETIME = 1L << 15;
    public static final long F_SECURE_ERASE = 1L << 16;
    public static final long F_ZONED = 1L << 17;

    public static final FeatureTable FEATURES = FeatureTable.COMMON
            .with(F_BARRIER, "BARRIER")
            .with(F_SIZE_MAX, "SIZE_MAX")
            .with(F_SEG_MAX, "SEG_MAX")
            .with(F_GEOMETRY, "GEOMETRY")
            .with(F_RO, "RO")
            .with(F_BLK_SIZE, "BLK_SIZE")
            .with(F_SCSI, "SCSI")
            .with(F_FLUSH, "FLUSH")
            .with(F_TOPOLOGY, "TOPOLOGY")
            .with(F_CONFIG_WCE, "CONFIG_WCE")
            .with(F_MQ, "MQ")
            .with(F_DISCARD, "DISCARD")
            .with(F_WRITE_ZEROES, "WRITE_ZEROES")
            .with(F_LIFETIME, "LIFETIME")
            .with(F_SECURE_ERASE, "SECURE_ERASE")
            .with(F_ZONED, "ZONED");

    public static final ConfigField CAPACITY_SECTORS = new ConfigField("capacity", 0, 8, 0);

    /** Most bytes of one segment. */
    public static final ConfigField SIZE_MAX_BYTES = new ConfigField("size_max", 8, 4, F_SIZE_MAX);

    /** Most data segments of one request. */
    public static final ConfigField SEG_MAX = new ConfigField("seg_max", 12, 4, F_SEG_MAX);

    public static final ConfigField CYLINDERS = new ConfigField("geometry.cylinders", 16, 2, F_GEOMETRY);
    public static final ConfigField HEADS = new ConfigField("geometry.heads", 18, 1, F_GEOMETRY);
    public static final ConfigField SECTORS = new ConfigField("geometry.sectors", 19, 1, F_GEOMETRY);
    public static final ConfigField BLOCK_SIZE_BYTES = new ConfigField("blk_size", 20, 4, F_BLK_SIZE);

    /** Logical blocks of a physical one, as a power of two. */
    public static final ConfigField PHYSICAL_BLOCK_EXP = new ConfigField("physical_block_exp", 24, 1, F_TOPOLOGY);

    /** First aligned logical block. */
    public static final ConfigField ALIGNMENT_OFFSET_BLOCKS = new ConfigField("alignment_offset", 25, 1, F_TOPOLOGY);

    public static final ConfigField MIN_IO_BLOCKS = new ConfigField("min_io_size", 26, 2, F_TOPOLOGY);
    public static final ConfigField OPT_IO_BLOCKS = new ConfigField("opt_io_size", 28, 4, F_TOPOLOGY);

    /** 1 for a write-back cache, 0 for write-through; the one field that a driver may write. */
    public static final ConfigField WRITEBACK = new ConfigField("wce", 32, 1, F_CONFIG_WCE);

    public static final ConfigField NUM_QUEUES = new ConfigField("num_queues", 34, 2, F_MQ);
    public static final ConfigField MAX_DISCARD_SECTORS = new ConfigField("max_discard_sectors", 36, 4, F_DISCARD);
    public static final ConfigField MAX_DISCARD_SEGMENTS = new ConfigField("max_discard_seg", 40, 4, F_DISCARD);
    public static final ConfigField DISCARD_ALIGNMENT_SECTORS =
            new ConfigField("discard_sector_alignment", 44, 4, F_DISCARD);
    public static final ConfigField MAX_WRITE_ZEROES_SECTORS =
            new ConfigField("max_write_zeroes_sectors", 48, 4, F_WRITE_ZEROES);
    public static final ConfigField MAX_WRITE_ZEROES_SEGMENTS =
            new ConfigField("max_write_zeroes_seg", 52, 4, F_WRITE_ZEROES);

    /** 1 where writing zeroes may deallocate. */
    public static final ConfigField WRITE_ZEROES_MAY_UNMAP =
            new ConfigField("write_zeroes_may_unmap", 56, 1, F_WRITE_ZEROES);

    public static final ConfigField MAX_SECURE_ERASE_SECTORS =
            new ConfigField("max_secure_erase_sectors", 60, 4, F_SECURE_ERASE);
    public static final ConfigField MAX_SECURE_ERASE_SEGMENTS =
            new ConfigField("max_secure_erase_seg", 64, 4, F_SECURE_ERASE);
    public static final ConfigField SECURE_ERASE_ALIGNMENT_SECTORS =
            new ConfigField("secure_erase_sector_alignment", 68, 4, F_SECURE_ERASE);
    public static final ConfigField ZONE_SECTORS = new ConfigField("zoned.zone_sectors", 72, 4, F_ZONED);

    /** 0 for no limit. */
    public static final ConfigField MAX_OPEN_ZONES = new ConfigField("zoned.max_open_zones", 76, 4, F_ZONED);

    /** 0 for no limit. */
    public static final ConfigField MAX_ACTIVE_ZONES = new ConfigField("zoned.max_active_zones", 80, 4, F_ZONED);

    public static final ConfigField MAX_APPEND_SECTORS = new ConfigField("zoned.max_append_sectors", 84, 4, F_ZONED);
    public static final ConfigField WRITE_GRANULARITY_BYTES =
            new ConfigField("zoned.write_granularity", 88, 4, F_ZONED);

    /** One of {@link #ZONE_MODEL_NONE}, {@link #ZONE_MODEL_HOST_MANAGED}, {@link #ZONE_MODEL_HOST_AWARE}. */
    public static final ConfigField ZONE_MODEL = new ConfigField("zoned.model", 92, 1, F_ZONED);

    public static final int ZONE_MODEL_NONE = 0;
    public static final int ZONE_MODEL_HOST_MANAGED = 1;
    public static final int ZONE_MODEL_HOST_AWARE = 2;

    /** All fields by ascending offset. */
    public static final List<ConfigField> FIELDS = List.of(
            CAPACITY_SECTORS,
            SIZE_MAX_BYTES,
            SEG_MAX,
            CYLINDERS,
            HEADS,
            SECTORS,
            BLOCK_SIZE_BYTES,
            PHYSICAL_BLOCK_EXP,
            ALIGNMENT_OFFSET_BLOCKS,
            MIN_IO_BLOCKS,
            OPT_IO_BLOCKS,
            WRITEBACK,
            NUM_QUEUES,
            MAX_DISCARD_SECTORS,
            MAX_DISCARD_SEGMENTS,
            DISCARD_ALIGNMENT_SECTORS,
            MAX_WRITE_ZEROES_SECTORS,
            MAX_WRITE_ZEROES_SEGMENTS,
            WRITE_ZEROES_MAY_UNMAP,
            MAX_SECURE_ERASE_SECTORS,
            MAX_SECURE_ERASE_SEGMENTS,
            SECURE_ERASE_ALIGNMENT_SECTORS,
            ZONE_SECTORS,
            MAX_OPEN_ZONES,
            MAX_ACTIVE_ZONES,
            MAX_APPEND_SECTORS,
            WRITE_GRANULARITY_BYTES,
            ZONE_MODEL);

    /** Bytes of the whole space. */
    public static final int BYTES = 96;

    private BlkConfig() {}

    /** The set bits in one line. */
    public static String describe(long features) {
        return FEATURES.describe(features);
    }
}
