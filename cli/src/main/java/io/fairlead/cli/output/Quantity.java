package io.fairlead.cli.output;

import java.util.Locale;

/**
 * A number as people read it.
 *
 * @param text with its unit
 */
public record Quantity(String text) {
    /** What is not known. */
    public static final Quantity UNKNOWN = new Quantity("-");

    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    private static final double STEP = 1024;

    /** Bytes, with a digit behind the point below ten of a unit. */
    public static Quantity bytes(long bytes) {
        return bytes((double) bytes);
    }

    /** Bytes, with a digit behind the point below ten of a unit. */
    public static Quantity bytes(double bytes) {
        double value = bytes;
        int unit = 0;
        // What would be rounded to a whole of the next unit is told in that.
        while (value >= STEP - 0.5 && unit < UNITS.length - 1) {
            value /= STEP;
            unit++;
        }
        return new Quantity(
                String.format(Locale.ROOT, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s", value, UNITS[unit]));
    }

    /** A whole number, with a comma at each thousand. */
    public static Quantity count(double number) {
        return new Quantity(String.format(Locale.ROOT, "%,.0f", number));
    }

    @Override
    public String toString() {
        return text;
    }
}
