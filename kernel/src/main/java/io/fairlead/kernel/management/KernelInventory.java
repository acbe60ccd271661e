package io.fairlead.kernel.management;

import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * What the kernel has of vDPA at this moment, object by object, with the words of iproute2's {@code vdpa} and the names of all
 * types and features. Values are numbers, strings and lists of strings.
 */
public final class KernelInventory {
    private final VdpaFamily family;
    private final VdpaBus bus;

    /** @param family stays the caller's */
    public KernelInventory(VdpaFamily family, VdpaBus bus) {
        this.family = family;
        this.bus = bus;
    }

    /** What makes devices, by name. */
    public SequencedMap<String, Map<String, Object>> managementDevices() throws IOException {
        SequencedMap<String, Map<String, Object>> all = new LinkedHashMap<>();
        for (ManagementDeviceInfo info : family.managementDevices()) {
            Map<String, Object> fields = VdpaDocument.of(info);
            fields.put("supported_classes", classes(info));
            all.put(info.name().toString(), fields);
        }
        return all;
    }

    private static List<String> classes(ManagementDeviceInfo info) {
        return info.deviceIds().stream().map(DeviceId::name).toList();
    }

    /** Devices by their names on the bus, with bus driver, character device and stable name. */
    public SequencedMap<String, Map<String, Object>> devices() throws IOException {
        SequencedMap<String, Map<String, Object>> all = new LinkedHashMap<>();
        for (Map.Entry<String, DeviceInfo> entry : StableNames.of(family).entrySet()) {
            DeviceInfo info = entry.getValue();
            Map<String, Object> fields = VdpaDocument.of(info);
            fields.put("type", VdpaDocument.type(info.deviceId()));
            fields.put("driver", bus.driver(info.name()).orElse("none"));
            Optional<Path> node = bus.characterDevice(info.name());
            node.ifPresent(path -> fields.put("node", path.toString()));
            fields.put("stable_name", entry.getKey());
            all.put(info.name(), fields);
        }
        return all;
    }
}
