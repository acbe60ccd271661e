package io.fairlead.virtio;

import java.util.ArrayList;
import java.util.List;

/**
 * The feature bits of one device type by name, on top of those that all types share. Immutable.
 *
 * <p>Names are the specification's without their prefix (VIRTIO_F_, VIRTIO_BLK_F_ and so on).
 */
public final class FeatureTable {
    /** The bits that all device types share ({@link Feature}); what is known of a type without a table of its own. */
    public static final FeatureTable COMMON = new FeatureTable(new String[Long.SIZE])
            .with(Feature.NOTIFY_ON_EMPTY, "NOTIFY_ON_EMPTY")
            .with(Feature.VHOST_LOG_ALL, "LOG_ALL")
            .with(Feature.ANY_LAYOUT, "ANY_LAYOUT")
            .with(Feature.INDIRECT_DESC, "INDIRECT_DESC")
            .with(Feature.EVENT_IDX, "EVENT_IDX")
            .with(Feature.VHOST_USER_PROTOCOL_FEATURES, "PROTOCOL_FEATURES")
            .with(Feature.VERSION_1, "VERSION_1")
            .with(Feature.ACCESS_PLATFORM, "ACCESS_PLATFORM")
            .with(Feature.RING_PACKED, "RING_PACKED")
            .with(Feature.IN_ORDER, "IN_ORDER")
            .with(Feature.ORDER_PLATFORM, "ORDER_PLATFORM")
            .with(Feature.SR_IOV, "SR_IOV")
            .with(Feature.NOTIFICATION_DATA, "NOTIFICATION_DATA")
            .with(Feature.NOTIF_CONFIG_DATA, "NOTIF_CONFIG_DATA")
            .with(Feature.RING_RESET, "RING_RESET")
            .with(Feature.ADMIN_VQ, "ADMIN_VQ")
            .with(Feature.SUSPEND, "SUSPEND");

    private final String[] names;

    private FeatureTable(String[] names) {
        this.names = names;
    }

    /** This table and one more bit. */
    FeatureTable with(long mask, String name) {
        if (Long.bitCount(mask) != 1) {
            throw new IllegalArgumentException("feature %s is 0x%x, not one bit".formatted(name, mask));
        }
        int bit = Long.numberOfTrailingZeros(mask);
        if (names[bit] != null) {
            throw new IllegalArgumentException(
                    "feature bit %d is %s and cannot be %s".formatted(bit, names[bit], name));
        }
        String[] more = names.clone();
        more[bit] = name;
        return new FeatureTable(more);
    }

    /** The table of a device id. */
    public static FeatureTable of(int deviceId) {
        return switch (deviceId) {
            case DeviceId.NET -> NetConfig.FEATURES;
            case DeviceId.BLOCK -> BlkConfig.FEATURES;
            case DeviceId.CONSOLE -> ConsoleConfig.FEATURES;
            case DeviceId.RNG -> RngConfig.FEATURES;
            case DeviceId.BALLOON -> BalloonConfig.FEATURES;
            case DeviceId.SCSI -> ScsiConfig.FEATURES;
            case DeviceId.VSOCK -> VsockConfig.FEATURES;
            case DeviceId.FS -> FsConfig.FEATURES;
            default -> COMMON;
        };
    }

    /** Names of the set bits by ascending bit, {@code bit 44} for one without a name. */
    public List<String> names(long features) {
        List<String> set = new ArrayList<>();
        for (long left = features; left != 0; left &= left - 1) {
            int bit = Long.numberOfTrailingZeros(left);
            set.add(names[bit] != null ? names[bit] : "bit " + bit);
        }
        return List.copyOf(set);
    }

    /** The set bits in one line, such as {@code SEG_MAX, FLUSH, VERSION_1}; {@code none} for 0. */
    public String describe(long features) {
        return features == 0 ? "none" : String.join(", ", names(features));
    }
}
