package io.fairlead.virtio;

/**
 * Feature bits that every device type shares (virtio 1.4, 6), as masks: {@code 1L << bit}. The bits of a device type
 * stand with its configuration layout.
 */
public final class Feature {
    /** Bit 26, vhost's own: log dirty pages (not a virtio feature; never offered to a guest). */
    public static final long VHOST_LOG_ALL = 1L << 26;

    public static final long NOTIFY_ON_EMPTY = 1L << 24;
    public static final long ANY_LAYOUT = 1L << 27;
    public static final long INDIRECT_DESC = 1L << 28;
    public static final long EVENT_IDX = 1L << 29;

    /** Bit 30, vhost-user's own: protocol features can be negotiated (never offered to a guest). */
    public static final long VHOST_USER_PROTOCOL_FEATURES = 1L << 30;

    public static final long VERSION_1 = 1L << 32;
    public static final long ACCESS_PLATFORM = 1L << 33;
    public static final long RING_PACKED = 1L << 34;
    public static final long IN_ORDER = 1L << 35;
    public static final long ORDER_PLATFORM = 1L << 36;
    public static final long SR_IOV = 1L << 37;
    public static final long NOTIFICATION_DATA = 1L << 38;
    public static final long NOTIF_CONFIG_DATA = 1L << 39;
    public static final long RING_RESET = 1L << 40;
    public static final long ADMIN_VQ = 1L << 41;

    /** The driver may suspend the device ({@link DeviceStatus#SUSPEND}). */
    public static final long SUSPEND = 1L << 43;

    /** The bits of device types (virtio 1.4, 2.2): 0 to 23 and from 50 on. */
    public static final long TYPE_BITS = (1L << 24) - 1 | -1L << 50;

    private Feature() {}

    public static boolean has(long features, long feature) {
        return (features & feature) == feature;
    }
}
