package io.fairlead.daemon.device;

import io.fairlead.kernel.management.KernelInventory;
import io.fairlead.kernel.management.VdpaBus;
import io.fairlead.kernel.management.VdpaDocument;
import io.fairlead.kernel.management.VdpaFamily;
import io.fairlead.kernel.vhostvdpa.VhostVdpaDevice;
import io.fairlead.node.HostInventory;
import io.fairlead.node.HostObject;
import io.fairlead.vdpa.ManagementDevice;
import io.fairlead.vdpa.Registry;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The management devices and devices of a registry, and beside them the kernel's, where it has vDPA. */
final class Inventory implements HostInventory {
    /** More types than there are: one that takes whatever there is. */
    private static final int ANY_TYPE = 1000;

    private final Registry registry;

    Inventory(Registry registry) {
        this.registry = registry;
    }

    @Override
    public List<HostObject> managementDevices() throws IOException {
        List<HostObject> all = new ArrayList<>();
        for (ManagementDevice device : registry.managementDevices()) {
            Map<String, Object> fields = new LinkedHashMap<>();
            List<String> classes = device.deviceIds().size() > ANY_TYPE
                    ? List.of("any")
                    : device.deviceIds().stream().sorted().map(DeviceId::name).toList();
            fields.put("supported_classes", classes);
            device.maxQueues().ifPresent(queues -> fields.put("max_supported_vqs", queues));
            all.add(new HostObject(device.name(), fields));
        }
        if (hasVdpa()) {
            try (VdpaFamily family = VdpaFamily.open()) {
                new KernelInventory(family, VdpaBus.ofHost())
                        .managementDevices()
                        .forEach((name, fields) -> all.add(new HostObject(name, fields)));
            }
        }
        return all;
    }

    @Override
    public List<HostObject> devices() throws IOException {
        List<HostObject> all = new ArrayList<>();
        for (Registry.Entry entry : registry.devices()) {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("type", VdpaDocument.type(entry.device().deviceId()));
            fields.put("mgmtdev", entry.managementDevice().name());
            fields.put("max_vqs", entry.device().queueCount());
            fields.put("max_vq_size", entry.device().maxQueueSize(0));
            if (entry.device() instanceof VhostVdpaDevice device) {
                fields.put("node", device.file().toString());
            }
            all.add(new HostObject(entry.device().name(), fields));
        }
        if (hasVdpa()) {
            try (VdpaFamily family = VdpaFamily.open()) {
                new KernelInventory(family, VdpaBus.ofHost())
                        .devices()
                        .forEach((name, fields) -> all.add(new HostObject(name, fields)));
            }
        }
        return all;
    }

    /** Without the framework there is nothing of the kernel's to list. */
    private static boolean hasVdpa() {
        return VdpaBus.ofHost().isThere();
    }
}
