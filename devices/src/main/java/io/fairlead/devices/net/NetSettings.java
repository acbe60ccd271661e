package io.fairlead.devices.net;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.vdpa.AttributeValue;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * How a network device shall be.
 *
 * @param switchName the switch that it is at; empty for one with a TAP device
 * @param tapName the host's TAP device that it has; empty for one at a switch
 * @param mac 48 bits; {@link #NO_MAC} to derive one from the device's name
 * @param queuePairs receive and transmit queues, 1 to {@value #MAX_QUEUE_PAIRS} of each
 * @param mtuBytes the most bytes of a packet, without its Ethernet header, 68 to 65535; 0 for no limit, of which the driver is not told
 * @param speedMegabits what the driver is told, Mbit/s
 * @param linkUp whether the link is up at first
 * @param rateMegabits the most that each direction carries, Mbit/s; 0 for no limit
 * @param deviceState whether its state goes in the stream of a machine that moves (vhost-user: DEVICE_STATE), as it has to at
 *     both ends or at neither
 * @param rings common to all types
 */
public record NetSettings(
        String switchName,
        String tapName,
        long mac,
        int queuePairs,
        int mtuBytes,
        int speedMegabits,
        boolean linkUp,
        int rateMegabits,
        boolean deviceState,
        RingSettings rings) {
    /** The attributes that a network device has. */
    public static final String ATTRIBUTES =
            "switch, tap, mac, queues, mtu, speed-mbps, link, rate-mbps, device-state, " + RingSettings.ATTRIBUTES;

    public static final int MAX_QUEUE_PAIRS = 64;
    public static final long NO_MAC = -1;

    private static final int MIN_MTU_BYTES = 68;
    private static final int MAX_MTU_BYTES = 65535;
    private static final int MAX_TAP_CHARACTERS = 15;
    private static final int MAX_SWITCH_CHARACTERS = 64;
    private static final int MAX_MEGABITS = 1_000_000;
    private static final NetSettings DEFAULTS =
            new NetSettings("", "", NO_MAC, 1, 0, 10_000, true, 0, true, RingSettings.standard());

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public NetSettings {
        if (switchName.length() > MAX_SWITCH_CHARACTERS || switchName.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(
                    "switch: '%s' is not at most %d printable characters".formatted(switchName, MAX_SWITCH_CHARACTERS));
        }
        if (tapName.length() > MAX_TAP_CHARACTERS
                || !StandardCharsets.US_ASCII.newEncoder().canEncode(tapName)
                || tapName.chars().anyMatch(c -> c <= ' ' || c == '/' || c == '%')) {
            throw new IllegalArgumentException("tap: '%s' is not the name of a network interface, at most %d characters"
                    .formatted(tapName, MAX_TAP_CHARACTERS));
        }
        if (mac != NO_MAC && (mac >>> 48 != 0 || mac == 0 || ReceiveFilter.isGroup(mac))) {
            throw new IllegalArgumentException("mac: %s is not the address of one card".formatted(macText(mac)));
        }
        if (queuePairs < 1 || queuePairs > MAX_QUEUE_PAIRS) {
            throw new IllegalArgumentException("queues: %d is not in 1..%d".formatted(queuePairs, MAX_QUEUE_PAIRS));
        }
        if (mtuBytes != 0 && (mtuBytes < MIN_MTU_BYTES || mtuBytes > MAX_MTU_BYTES)) {
            throw new IllegalArgumentException(
                    "mtu: %d is not in %d..%d".formatted(mtuBytes, MIN_MTU_BYTES, MAX_MTU_BYTES));
        }
        if (speedMegabits < 0 || speedMegabits > MAX_MEGABITS) {
            throw new IllegalArgumentException("speed-mbps: %d is not in 0..%d".formatted(speedMegabits, MAX_MEGABITS));
        }
        if (rateMegabits < 0 || rateMegabits > MAX_MEGABITS) {
            throw new IllegalArgumentException("rate-mbps: %d is not in 0..%d".formatted(rateMegabits, MAX_MEGABITS));
        }
    }

    /** A device with one queue pair at a switch. */
    public static NetSettings ofSwitch(String name) {
        return DEFAULTS.with("switch", name);
    }

    /**
     * Reads attributes as users give them.
     *
     * @throws IllegalArgumentException where one is unknown, missing or wrong
     */
    static NetSettings of(Map<String, String> attributes) {
        NetSettings settings = DEFAULTS;
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            settings = settings.with(attribute.getKey(), attribute.getValue());
        }
        if (settings.switchName.isEmpty() == settings.tapName.isEmpty()) {
            throw new IllegalArgumentException(
                    "switch, tap: a network device needs one of them, such as switch=lan or tap=tap0");
        }
        return settings;
    }

    /** The same fields, to change one. */
    private static final class Edit {
        private String switchName;
        private String tapName;
        private long mac;
        private int queuePairs;
        private int mtuBytes;
        private int speedMegabits;
        private boolean linkUp;
        private int rateMegabits;
        private boolean deviceState;
        private RingSettings rings;

        Edit(NetSettings from) {
            switchName = from.switchName;
            tapName = from.tapName;
            mac = from.mac;
            queuePairs = from.queuePairs;
            mtuBytes = from.mtuBytes;
            speedMegabits = from.speedMegabits;
            linkUp = from.linkUp;
            rateMegabits = from.rateMegabits;
            deviceState = from.deviceState;
            rings = from.rings;
        }

        NetSettings done() {
            return new NetSettings(
                    switchName,
                    tapName,
                    mac,
                    queuePairs,
                    mtuBytes,
                    speedMegabits,
                    linkUp,
                    rateMegabits,
                    deviceState,
                    rings);
        }
    }

    /** The same with an attribute. */
    public NetSettings with(String key, String value) {
        Edit edit = new Edit(this);
        switch (key) {
            case "switch" -> edit.switchName = value;
            case "tap" -> edit.tapName = value;
            case "mac" -> edit.mac = macOf(value);
            case "queues" -> edit.queuePairs = AttributeValue.number(key, value);
            case "mtu" -> edit.mtuBytes = AttributeValue.positive(key, value);
            case "speed-mbps" -> edit.speedMegabits = AttributeValue.number(key, value);
            case "link" -> edit.linkUp = isUp(value);
            case "rate-mbps" -> edit.rateMegabits = AttributeValue.number(key, value);
            case "device-state" -> edit.deviceState = AttributeValue.onOrOff(key, value);
            default -> {
                if (!RingSettings.has(key)) {
                    throw new IllegalArgumentException(
                            "%s: a network device has no such attribute; it has: %s".formatted(key, ATTRIBUTES));
                }
                edit.rings = rings.with(key, value);
            }
        }
        return edit.done();
    }

    private static boolean isUp(String value) {
        return switch (value) {
            case "up" -> true;
            case "down" -> false;
            default -> throw new IllegalArgumentException("link: '%s' is neither up nor down".formatted(value));
        };
    }

    private static long macOf(String value) {
        if (!value.matches("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")) {
            throw new IllegalArgumentException(
                    "mac: '%s' is not an address such as 52:54:00:12:34:56".formatted(value));
        }
        return Long.parseLong(value.replace(":", ""), 16);
    }

    static String macText(long mac) {
        return "%012x".formatted(mac).replaceAll("(..)(?!$)", "$1:");
    }

    /** The address of a device of a name, where none was given: always the same, and marked as locally given. */
    long macFor(String deviceName) {
        if (mac != NO_MAC) {
            return mac;
        }
        CRC32C hash = new CRC32C();
        byte[] bytes = deviceName.getBytes(StandardCharsets.UTF_8);
        hash.update(bytes, 0, bytes.length);
        return 0x02_46_00_00_00_00L | hash.getValue();
    }

    /** The longest packet that the driver gets. */
    int effectiveMtuBytes() {
        return mtuBytes == 0 ? MAX_MTU_BYTES : mtuBytes;
    }
}
