package io.fairlead.kernel.management;

import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.FeatureTable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Feature bits as iproute2's {@code vdpa} names them, which knows those of network cards and the common ones. */
final class FeatureNames {
    private static final Map<Integer, String> COMMON = new HashMap<>();
    private static final Map<Integer, String> NET = new HashMap<>();

    static {
        COMMON.put(28, "RING_INDIRECT_DESC");
        COMMON.put(29, "RING_EVENT_IDX");
        COMMON.put(32, "VERSION_1");
        COMMON.put(33, "ACCESS_PLATFORM");
        COMMON.put(34, "RING_PACKED");
        COMMON.put(35, "IN_ORDER");
        COMMON.put(36, "ORDER_PLATFORM");
        COMMON.put(37, "SR_IOV");
        COMMON.put(38, "NOTIFICATION_DATA");
        NET.put(0, "CSUM");
        NET.put(1, "GUEST_CSUM");
        NET.put(2, "CTRL_GUEST_OFFLOADS");
        NET.put(3, "MTU");
        NET.put(5, "MAC");
        NET.put(7, "GUEST_TSO4");
        NET.put(8, "GUEST_TSO6");
        NET.put(9, "GUEST_ECN");
        NET.put(10, "GUEST_UFO");
        NET.put(11, "HOST_TSO4");
        NET.put(12, "HOST_TSO6");
        NET.put(13, "HOST_ECN");
        NET.put(14, "HOST_UFO");
        NET.put(15, "MRG_RXBUF");
        NET.put(16, "STATUS");
        NET.put(17, "CTRL_VQ");
        NET.put(18, "CTRL_RX");
        NET.put(19, "CTRL_VLAN");
        NET.put(20, "CTRL_RX_EXTRA");
        NET.put(21, "GUEST_ANNOUNCE");
        NET.put(22, "MQ");
        NET.put(23, "CTRL_MAC_ADDR");
        NET.put(24, "NOTIFY_ON_EMPTY");
        NET.put(27, "ANY_LAYOUT");
        NET.put(57, "HASH_REPORT");
        NET.put(60, "RSS");
        NET.put(61, "RSC_EXT");
        NET.put(62, "STANDBY");
        NET.put(63, "SPEED_DUPLEX");
    }

    private FeatureNames() {}

    /**
     * What {@code vdpa -j} lists: names as strings, bits that it knows no name of as numbers.
     *
     * @param deviceId the virtio device id; 0 for features of several types
     */
    static List<Object> forJson(long features, int deviceId) {
        List<Object> names = new ArrayList<>();
        for (int bit = 0; bit < Long.SIZE; bit++) {
            if ((features >>> bit & 1) != 0) {
                String name = known(bit, deviceId);
                names.add(name == null ? (Object) bit : name);
            }
        }
        return names;
    }

    /** Names for people: iproute2's, else the specification's, else {@code bit_N}. */
    static List<String> forText(long features, int deviceId) {
        List<String> names = new ArrayList<>();
        for (int bit = 0; bit < Long.SIZE; bit++) {
            if ((features >>> bit & 1) != 0) {
                String name = known(bit, deviceId);
                names.add(name == null ? specified(bit, deviceId) : name);
            }
        }
        return names;
    }

    private static @Nullable String known(int bit, int deviceId) {
        String common = COMMON.get(bit);
        return common == null && deviceId == DeviceId.NET ? NET.get(bit) : common;
    }

    private static String specified(int bit, int deviceId) {
        FeatureTable table = deviceId == 0 ? FeatureTable.COMMON : FeatureTable.of(deviceId);
        List<String> names = table.names(1L << bit);
        // Bits of vhost's own protocol are none of a device.
        boolean named = names.size() == 1
                && names.getFirst().matches("[A-Z][A-Z0-9_]*")
                && (1L << bit & (Feature.VHOST_LOG_ALL | Feature.VHOST_USER_PROTOCOL_FEATURES)) == 0;
        return named ? names.getFirst() : "bit_" + bit;
    }
}
