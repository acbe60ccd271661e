package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/**
 * A source of entropy.
 *
 * @param source a file of the host; null for QEMU's own
 * @param rateBytes how many bytes a period the guest may take; 0 for any
 * @param ratePeriodMillis 0 for QEMU's
 */
public record Rng(@Nullable String source, int rateBytes, int ratePeriodMillis, Place place, Kept kept)
        implements Device {

    @Override
    public String element() {
        return "rng";
    }

    @Override
    public Rng withPlace(Place value) {
        return new Rng(source, rateBytes, ratePeriodMillis, value, kept);
    }
}
