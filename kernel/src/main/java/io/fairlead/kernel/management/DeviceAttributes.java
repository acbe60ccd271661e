package io.fairlead.kernel.management;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What a new vDPA device of the kernel shall be like; what is left out is as the management device makes it. By the words
 * of iproute2's {@code vdpa dev add}.
 *
 * @param mac of a network card, such as {@code 52:54:00:12:34:56}
 * @param mtu of a network card, bytes
 * @param maxQueuePairs {@code max_vqp} of a network card
 * @param features {@code device_features}: the virtio feature bits that the device shall offer
 */
public record DeviceAttributes(
        Optional<String> mac, OptionalInt mtu, OptionalInt maxQueuePairs, OptionalLong features) {
    /** No wishes. */
    public static final DeviceAttributes NONE =
            new DeviceAttributes(Optional.empty(), OptionalInt.empty(), OptionalInt.empty(), OptionalLong.empty());

    private static final List<String> NAMES = List.of("mac", "mtu", "max_vqp", "device_features");

    /** @throws IllegalArgumentException where the MAC address is none or a number has more than 16 bits */
    public DeviceAttributes {
        mac.ifPresent(MacAddress::parse);
        checkSixteenBits("mtu", mtu);
        checkSixteenBits("max_vqp", maxQueuePairs);
    }

    private static void checkSixteenBits(String name, OptionalInt value) {
        if (value.isPresent() && (value.getAsInt() & ~0xffff) != 0) {
            throw new IllegalArgumentException(
                    "%s: %d is not a number from 0 to 65535".formatted(name, value.getAsInt()));
        }
    }

    /**
     * Reads attributes by name: {@code mac}, {@code mtu}, {@code max_vqp}, {@code device_features} (hexadecimal, with or
     * without {@code 0x}).
     *
     * @throws IllegalArgumentException where one is unknown or wrong: says which, and what there is
     */
    public static DeviceAttributes parse(Map<String, String> attributes) {
        for (String name : attributes.keySet()) {
            if (!NAMES.contains(name)) {
                throw new IllegalArgumentException(
                        "unknown attribute '%s'; kernel devices have %s".formatted(name, String.join(", ", NAMES)));
            }
        }
        String features = attributes.get("device_features");
        return new DeviceAttributes(
                Optional.ofNullable(attributes.get("mac")),
                number("mtu", attributes),
                number("max_vqp", attributes),
                features == null ? OptionalLong.empty() : OptionalLong.of(features(features)));
    }

    private static OptionalInt number(String name, Map<String, String> attributes) {
        String value = attributes.get(name);
        if (value == null) {
            return OptionalInt.empty();
        }
        try {
            return OptionalInt.of(Integer.parseInt(value));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("%s: '%s' is not a number".formatted(name, value), e);
        }
    }

    private static long features(String value) {
        try {
            return Long.parseUnsignedLong(value.startsWith("0x") ? value.substring(2) : value, 16);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "device_features: '%s' is not a hexadecimal number of 64 bits such as 0x300020000".formatted(value),
                    e);
        }
    }
}
