package io.fairlead.virtio;

import java.util.List;

/** The entropy device (virtio 1.4, 5.4): it has neither feature bits of its own nor a configuration space. */
public final class RngConfig {
    public static final FeatureTable FEATURES = FeatureTable.COMMON;

    public static final List<ConfigField> FIELDS = List.of();

    /** Bytes of the whole space. */
    public static final int BYTES = 0;

    private RngConfig() {}

    /** The set bits in one line. */
    public static String describe(long features) {
        return FEATURES.describe(features);
    }
}
