package io.fairlead.virtio;

import java.util.List;

/**
 * Feature bits and configuration space of the console (virtio 1.4, 5.3.3 and 5.3.4).
 *
 * <pre>{@code
 * struct virtio_console_config {
 *         le16 cols;
 *         le16 rows;
 *         le32 max_nr_ports;
 *         le32 emerg_wr;
 * };
 * }</pre>
 */
public final class ConsoleConfig {
    public static final long F_SIZE = 1L << 0;
    public static final long F_MULTIPORT = 1L << 1;
    public static final long F_EMERG_WRITE = 1L << 2;

    public static final FeatureTable FEATURES = FeatureTable.COMMON
            .with(F_SIZE, "SIZE")
            .with(F_MULTIPORT, "MULTIPORT")
            .with(F_EMERG_WRITE, "EMERG_WRITE");

    public static final ConfigField COLS = new ConfigField("cols", 0, 2, F_SIZE);
    public static final ConfigField ROWS = new ConfigField("rows", 2, 2, F_SIZE);
    public static final ConfigField MAX_NR_PORTS = new ConfigField("max_nr_ports", 4, 4, F_MULTIPORT);
    /** Written by the driver: one character to put out at once. */
    public static final ConfigField EMERG_WR = new ConfigField("emerg_wr", 8, 4, F_EMERG_WRITE);

    /** All fields by ascending offset. */
    public static final List<ConfigField> FIELDS = List.of(COLS, ROWS, MAX_NR_PORTS, EMERG_WR);

    /** Bytes of the whole space. */
    public static final int BYTES = 12;

    private ConsoleConfig() {}

    /** The set bits in one line. */
    public static String describe(long features) {
        return FEATURES.describe(features);
    }
}
