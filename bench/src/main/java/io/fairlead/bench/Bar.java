package io.fairlead.bench;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a measurement is held against.
 *
 * @param rule what is compared with the limit
 * @param limit in the row's unit for {@link Rule#OURS_AT_MOST}, else a ratio
 */
public record Bar(Rule rule, double limit) {
    /** What is compared. */
    public enum Rule {
        /** Ours divided by the peer's is the limit or more. */
        RATIO_AT_LEAST,
        /** Ours divided by the peer's is the limit or less. */
        RATIO_AT_MOST,
        /** Ours alone is the limit or less. */
        OURS_AT_MOST
    }

    public static Bar ratioAtLeast(double limit) {
        return new Bar(Rule.RATIO_AT_LEAST, limit);
    }

    public static Bar ratioAtMost(double limit) {
        return new Bar(Rule.RATIO_AT_MOST, limit);
    }

    public static Bar oursAtMost(double limit) {
        return new Bar(Rule.OURS_AT_MOST, limit);
    }

    /**
     * Whether a measurement keeps to it. A ratio that could not be built (no peer, or one of zero) holds no bar.
     *
     * @param ours the median of ours
     * @param ratio ours by the peer's
     */
    public boolean isHeld(double ours, @Nullable Double ratio) {
        return switch (rule) {
            case RATIO_AT_LEAST -> ratio != null && ratio >= limit;
            case RATIO_AT_MOST -> ratio != null && ratio <= limit;
            case OURS_AT_MOST -> ours <= limit;
        };
    }

    /** Such as {@code ratio >= 2}. */
    public String text() {
        String number = limit == Math.rint(limit) ? String.format(Locale.ROOT, "%.0f", limit) : Double.toString(limit);
        return switch (rule) {
            case RATIO_AT_LEAST -> "ratio >= " + number;
            case RATIO_AT_MOST -> "ratio <= " + number;
            case OURS_AT_MOST -> "ours <= " + number;
        };
    }
}
