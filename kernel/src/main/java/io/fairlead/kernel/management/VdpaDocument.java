package io.fairlead.kernel.management;

import io.fairlead.virtio.DeviceId;
import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Kernel objects as the values of iproute2's {@code vdpa -j}: the same fields with the same names (blanks at the end of
 * some names included) and values in the same order. A disk's configuration, of which {@code vdpa} shows nothing, has
 * fields of its own.
 */
public final class VdpaDocument {
    private static final String UNKNOWN_CLASS = "< unknown class >";
    private static final String UNKNOWN_TYPE = "<unknown type>";
    private static final int NET_STATUS_LINK_UP = 1;
    private static final int NET_STATUS_ANNOUNCE = 2;

    private VdpaDocument() {}

    /** The value below the management device's name. */
    public static Map<String, Object> of(ManagementDeviceInfo info) {
        Map<String, Object> fields = new LinkedHashMap<>();
        if (info.classes().isPresent()) {
            fields.put(
                    "supported_classes",
                    info.deviceIds().stream()
                            .map(id -> id == DeviceId.NET || id == DeviceId.BLOCK ? DeviceId.name(id) : UNKNOWN_CLASS)
                            .toList());
        }
        info.maxQueues().ifPresent(queues -> fields.put("max_supported_vqs", queues));
        info.supportedFeatures()
                .ifPresent(features -> fields.put("dev_features", FeatureNames.forJson(features, namesOf(info))));
        return fields;
    }

    /** The value below the device's name. */
    public static Map<String, Object> of(DeviceInfo info) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put(
                "type",
                switch (info.deviceId()) {
                    case DeviceId.NET -> "network";
                    case DeviceId.BLOCK -> "block";
                    default -> UNKNOWN_TYPE;
                });
        fields.put("mgmtdev", info.managementDevice().toString());
        info.vendorId().ifPresent(id -> fields.put("vendor_id", id));
        info.maxQueues().ifPresent(queues -> fields.put("max_vqs", queues));
        info.maxQueueSize().ifPresent(size -> fields.put("max_vq_size", size));
        return fields;
    }

    /** The value below the device's name. */
    public static Map<String, Object> of(DeviceConfig config) {
        Map<String, Object> fields = new LinkedHashMap<>();
        if (config.deviceId() == DeviceId.NET) {
            config.mac().ifPresent(mac -> fields.put("mac", mac));
            config.netStatus().ifPresent(status -> {
                fields.put("link ", (status & NET_STATUS_LINK_UP) != 0 ? "up" : "down");
                fields.put("link_announce ", (status & NET_STATUS_ANNOUNCE) != 0);
            });
            config.maxQueuePairs().ifPresent(pairs -> fields.put("max_vq_pairs", pairs));
            config.mtu().ifPresent(mtu -> fields.put("mtu", mtu));
            config.negotiatedFeatures()
                    .ifPresent(features ->
                            fields.put("negotiated_features", FeatureNames.forJson(features, DeviceId.NET)));
        } else {
            config.block()
                    .forEach((name, value) -> fields.put(
                            name, name.equals("read_only") || name.equals("flush") ? (Object) (value != 0) : value));
            config.deviceFeatures()
                    .ifPresent(features ->
                            fields.put("device_features", FeatureNames.forText(features, config.deviceId())));
            config.negotiatedFeatures()
                    .ifPresent(features ->
                            fields.put("negotiated_features", FeatureNames.forText(features, config.deviceId())));
        }
        return fields;
    }

    /** The value below the device's name. */
    public static Map<String, Object> of(VendorStatistics statistics) {
        return fields(statistics, statistics.queueTypeOfIproute2());
    }

    /** As {@link #of(VendorStatistics)}, with what kind of queue it really is. */
    public static Map<String, Object> ofQueue(VendorStatistics statistics) {
        return fields(statistics, statistics.queueType());
    }

    private static Map<String, Object> fields(VendorStatistics statistics, String queueType) {
        Map<String, Object> fields = new LinkedHashMap<>();
        if (!queueType.isEmpty()) {
            fields.put("queue_type", queueType);
        }
        statistics
                .counters()
                .forEach(counter -> fields.put(counter.name(), new BigInteger(Long.toUnsignedString(counter.value()))));
        return fields;
    }

    /** What whoever reads gets to see, as {@code vdpa mgmtdev show} has it, with every type and feature by its name. */
    public static String text(ManagementDeviceInfo info) {
        StringBuilder text = new StringBuilder(Refusal.printable(info.name().toString())).append(':');
        List<String> classes = info.deviceIds().stream().map(DeviceId::name).toList();
        line(text, "supported_classes", classes);
        info.maxQueues().ifPresent(queues -> line(text, "max_supported_vqs", List.of(Long.toString(queues))));
        info.supportedFeatures()
                .ifPresent(features -> line(
                        text,
                        "dev_features",
                        FeatureNames.forText(
                                features,
                                info.deviceIds().size() == 1
                                        ? info.deviceIds().iterator().next()
                                        : namesOf(info))));
        return text.toString();
    }

    /** As {@code vdpa dev show} has it. */
    public static String text(DeviceInfo info) {
        Map<String, Object> fields = of(info);
        fields.put("type", type(info.deviceId()));
        return named(info.name(), fields);
    }

    /** A type's word, of all types: {@code network} and {@code block} as {@code vdpa} has them. */
    public static String type(int deviceId) {
        return deviceId == DeviceId.NET ? "network" : DeviceId.name(deviceId);
    }

    /** As {@code vdpa dev config show} has it. */
    public static String text(DeviceConfig config) {
        Map<String, Object> fields = of(config);
        fields.remove("device_features");
        fields.remove("negotiated_features");
        StringBuilder text = new StringBuilder(named(config.name(), fields));
        config.deviceFeatures()
                .ifPresent(
                        features -> line(text, "device_features", FeatureNames.forText(features, config.deviceId())));
        config.negotiatedFeatures()
                .ifPresent(features ->
                        line(text, "negotiated_features", FeatureNames.forText(features, config.deviceId())));
        return text.toString();
    }

    /** As {@code vdpa dev vstats show} has it. */
    public static String text(VendorStatistics statistics) {
        return named(statistics.name(), ofQueue(statistics));
    }

    private static String named(String name, Map<String, Object> fields) {
        StringBuilder text = new StringBuilder(Refusal.printable(name)).append(':');
        fields.forEach((field, value) -> text.append(' ')
                .append(Refusal.printable(field.strip()))
                .append(' ')
                .append(Refusal.printable(value.toString())));
        return text.toString();
    }

    private static void line(StringBuilder text, String name, List<String> values) {
        text.append("\n  ").append(name);
        values.forEach(value -> text.append(' ').append(value));
    }

    /** The type whose names its features have; 0 where it makes several types, or others than network cards. */
    private static int namesOf(ManagementDeviceInfo info) {
        return info.deviceIds().contains(DeviceId.NET) ? DeviceId.NET : 0;
    }
}
