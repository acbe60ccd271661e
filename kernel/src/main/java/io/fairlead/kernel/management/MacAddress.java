package io.fairlead.kernel.management;

import java.util.HexFormat;

/** A MAC address as text, six pairs of hexadecimal digits between colons. */
final class MacAddress {
    private static final int BYTES = 6;
    private static final HexFormat FORMAT = HexFormat.ofDelimiter(":");

    private MacAddress() {}

    /** @throws IllegalArgumentException where it is none */
    static byte[] parse(String text) {
        if (text.length() == 3 * BYTES - 1) {
            try {
                return FORMAT.parseHex(text);
            } catch (IllegalArgumentException e) {
                // Said below.
            }
        }
        throw new IllegalArgumentException("mac: '%s' is not an address such as 52:54:00:12:34:56".formatted(text));
    }

    static String text(byte[] mac) {
        return FORMAT.formatHex(mac);
    }
}
