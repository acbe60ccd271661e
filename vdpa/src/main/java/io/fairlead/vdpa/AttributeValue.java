package io.fairlead.vdpa;

/** Reads the values of attributes that users give to new devices ({@link ManagementDevice#add}). */
public final class AttributeValue {
    private AttributeValue() {}

    /** @throws IllegalArgumentException where it is neither {@code on} nor {@code off} */
    public static boolean onOrOff(String key, String value) {
        return switch (value) {
            case "on" -> true;
            case "off" -> false;
            default -> throw new IllegalArgumentException("%s: '%s' is neither on nor off".formatted(key, value));
        };
    }

    /** A set of 64 bits as a number, also as {@code 0x...}. */
    public static long bits(String key, String value) {
        try {
            return value.startsWith("0x")
                    ? Long.parseUnsignedLong(value, 2, value.length(), 16)
                    : Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "%s: '%s' is not a number of 64 bits such as 0x130000204".formatted(key, value), e);
        }
    }

    /** @throws IllegalArgumentException where it is no number of 32 bits */
    public static int number(String key, String value) {
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("%s: '%s' is not a number".formatted(key, value), e);
        }
    }

    /** A number of bytes from 1, also with K, M, G or T behind it, in powers of 1024. */
    public static long bytes(String key, String value) {
        int unit = value.isEmpty() ? -1 : "KMGT".indexOf(value.charAt(value.length() - 1));
        try {
            long count = Long.parseLong(unit < 0 ? value : value.substring(0, value.length() - 1));
            int shift = 10 * (unit + 1);
            if (count > 0 && count <= Long.MAX_VALUE >> shift) {
                return count << shift;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new IllegalArgumentException(
                "%s: '%s' is not a number of bytes such as 1073741824 or 1G".formatted(key, value));
    }

    /** A {@link #number} from 1. */
    public static int positive(String key, String value) {
        int number = number(key, value);
        if (number < 1) {
            throw new IllegalArgumentException("%s: %s is not positive".formatted(key, value));
        }
        return number;
    }
}
