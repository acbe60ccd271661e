package io.fairlead.virtio;

/**
 * Bits of the device status field (virtio 1.4, 2.1), as masks. The driver sets them one by one while it brings a device
 * up; writing 0 resets the device.
 */
public final class DeviceStatus {
    /** The guest has found the device. */
    public static final int ACKNOWLEDGE = 1;

    /** The guest has a driver for it. */
    public static final int DRIVER = 2;

    /** The driver is set up: the device is live. */
    public static final int DRIVER_OK = 4;

    /** Feature negotiation is complete; the device clears it where it cannot serve the features. */
    public static final int FEATURES_OK = 8;

    /** The device is suspended: it keeps its state and touches no memory; only with {@link Feature#SUSPEND}. */
    public static final int SUSPEND = 16;

    /** Set by the device: it met an error from which only a reset recovers. */
    public static final int DEVICE_NEEDS_RESET = 64;

    /** The driver has given up on the device. */
    public static final int FAILED = 128;

    private static final int[] MASKS = {ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, SUSPEND, DEVICE_NEEDS_RESET, FAILED
    };
    private static final String[] NAMES = {
        "ACKNOWLEDGE", "DRIVER", "DRIVER_OK", "FEATURES_OK", "SUSPEND", "DEVICE_NEEDS_RESET", "FAILED"
    };

    private DeviceStatus() {}

    /** Whether all bits of a mask are set. */
    public static boolean has(int status, int mask) {
        return (status & mask) == mask;
    }

    /** The set bits by name, such as {@code ACKNOWLEDGE|DRIVER}; unknown bits in hexadecimal; {@code RESET} for 0. */
    public static String describe(int status) {
        if (status == 0) {
            return "RESET";
        }
        StringBuilder text = new StringBuilder();
        int left = status;
        for (int i = 0; i < MASKS.length; i++) {
            if ((status & MASKS[i]) != 0) {
                text.append(text.isEmpty() ? "" : "|").append(NAMES[i]);
                left &= ~MASKS[i];
            }
        }
        if (left != 0) {
            text.append(text.isEmpty() ? "" : "|").append("0x").append(Integer.toHexString(left));
        }
        return text.toString();
    }
}
