package io.fairlead.qemu;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A vDPA device of the kernel that QEMU itself opens, of any virtio type ({@code vhost-vdpa-device-pci}, QEMU 8.0): nothing
 * of ours is between. A machine with such a device does not migrate ("blocked by non-migratable device"), the device cannot
 * be changed while it runs, and QEMU needs a limit of locked memory as large as the machine's memory. A device that is to
 * do these things is presented by {@code fairlead serve} or a node, with {@code vhost-vdpa=}, as a {@link VhostUserDevice}.
 * Immutable.
 *
 * @param id unique among the machine's devices; also the device's id in QMP
 * @param file such as /dev/vhost-vdpa-0; QEMU has it alone
 * @param properties the device's properties, such as {@code bus} or {@code bootindex}
 */
public record DirectVdpaDevice(String id, Path file, Map<String, String> properties) {
    public DirectVdpaDevice {
        if (!id.matches("[A-Za-z][A-Za-z0-9._-]*")) {
            throw new IllegalArgumentException("A device's id is a letter and then letters, digits, . _ -: " + id);
        }
        properties = Map.copyOf(properties);
    }

    /** Without the legacy interface, which not every type has: QEMU would refuse those. */
    public static DirectVdpaDevice of(String id, Path file) {
        return new DirectVdpaDevice(id, file, Map.of("disable-legacy", "on"));
    }

    /** The same with a property set. */
    public DirectVdpaDevice with(String property, String value) {
        Map<String, String> changed = new LinkedHashMap<>(properties);
        changed.put(property, value);
        return new DirectVdpaDevice(id, file, changed);
    }

    /** QEMU's options for this device, which is described in JSON. */
    public List<String> jsonArguments() {
        Map<String, Object> device = new LinkedHashMap<>();
        device.put("driver", "vhost-vdpa-device-pci");
        device.put("id", id);
        device.put("vhostdev", file.toString());
        device.putAll(Options.typed(properties));
        return List.of("-device", Options.json(device));
    }

    /** QEMU's options for this device. */
    List<String> arguments() {
        StringBuilder device = new StringBuilder("vhost-vdpa-device-pci,id=")
                .append(id)
                .append(",vhostdev=")
                .append(Options.escape(file.toString()));
        properties.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .forEach(property -> device.append(',')
                        .append(property.getKey())
                        .append('=')
                        .append(Options.escape(property.getValue())));
        return List.of("-device", device.toString());
    }
}
