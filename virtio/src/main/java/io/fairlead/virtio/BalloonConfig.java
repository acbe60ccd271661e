package io.fairlead.virtio;

import java.util.List;

/**
 * Feature bits and configuration space of the traditional memory balloon (virtio 1.4, 5.5.3 and 5.5.4).
 *
 * <pre>{@code
 * struct virtio_balloon_config {
 *         le32 num_pages;
 *         le32 actual;
 *         le32 free_page_hint_cmd_id;
 *         le32 poison_val;
 * };
 * }</pre>
 */
public final class BalloonConfig {
    public static final long F_MUST_TELL_HOST = 1L << 0;
    public static final long F_STATS_VQ = 1L << 1;
    public static final long F_DEFLATE_ON_OOM = 1L << 2;
    public static final long F_FREE_PAGE_HINT = 1L << 3;
    public static final long F_PAGE_POISON = 1L << 4;
    public static final long F_PAGE_REPORTING = 1L << 5;

    public static final FeatureTable FEATURES = FeatureTable.COMMON
            .with(F_MUST_TELL_HOST, "MUST_TELL_HOST")
            .with(F_STATS_VQ, "STATS_VQ")
            .with(F_DEFLATE_ON_OOM, "DEFLATE_ON_OOM")
            .with(F_FREE_PAGE_HINT, "FREE_PAGE_HINT")
            .with(F_PAGE_POISON, "PAGE_POISON")
            .with(F_PAGE_REPORTING, "PAGE_REPORTING");

    /** Pages of 4096 bytes that the device wants. */
    public static final ConfigField NUM_PAGES = new ConfigField("num_pages", 0, 4, 0);
    /** Pages in the balloon; written by the driver. */
    public static final ConfigField ACTUAL_PAGES = new ConfigField("actual", 4, 4, 0);

    public static final ConfigField FREE_PAGE_HINT_CMD_ID =
            new ConfigField("free_page_hint_cmd_id", 8, 4, F_FREE_PAGE_HINT);
    /** Written by the driver. */
    public static final ConfigField POISON_VAL = new ConfigField("poison_val", 12, 4, F_PAGE_POISON);

    /** All fields by ascending offset. */
    public static final List<ConfigField> FIELDS = List.of(NUM_PAGES, ACTUAL_PAGES, FREE_PAGE_HINT_CMD_ID, POISON_VAL);

    /** Bytes of the whole space. */
    public static final int BYTES = 16;

    private BalloonConfig() {}

    /** The set bits in one line. */
    public static String describe(long features) {
        return FEATURES.describe(features);
    }
}
