package io.fairlead.bench;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Numbers as people read them: three digits or so. */
public final class Figures {
    private static final double THREE_DIGITS = 100;
    private static final double TWO_DIGITS = 10;

    private Figures() {}

    /** A value with about three digits. */
    public static String of(double value) {
        double size = Math.abs(value);
        String format = size >= THREE_DIGITS ? "%.0f" : size >= TWO_DIGITS ? "%.1f" : "%.2f";
        return String.format(Locale.ROOT, format, value);
    }

    public static String of(double value, String unit) {
        return of(value) + " " + unit;
    }

    /** Such as {@code 2.31x}; a dash where there is none. */
    public static String ratio(@Nullable Double ratio) {
        return ratio == null ? "-" : of(ratio) + "x";
    }

    /** The median, and the least and the greatest run. */
    public static String spread(Samples samples) {
        return "%s (%s-%s)".formatted(of(samples.median()), of(samples.min()), of(samples.max()));
    }
}
