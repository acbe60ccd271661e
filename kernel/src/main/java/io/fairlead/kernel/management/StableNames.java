package io.fairlead.kernel.management;

import io.fairlead.linux.Errno;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * Names of vDPA devices that stay the same whatever the order in which they come: TYPE-IDENTITY. A network card's identity
 * is its MAC address, where it has one and no other card has the same; every other device's is its name on the vdpa bus,
 * which whoever added it chose.
 */
public final class StableNames {
    private static final String NO_MAC = "00:00:00:00:00:00";

    private StableNames() {}

    /** The type's word in a stable name: {@code net}, {@code blk}, else the kernel's. */
    public static String type(int deviceId) {
        return deviceId == DeviceId.BLOCK ? "blk" : DeviceId.name(deviceId);
    }

    /** The devices of the kernel by their stable names, in the kernel's order. */
    public static SequencedMap<String, DeviceInfo> of(VdpaFamily family) throws IOException {
        Map<String, String> macs = new HashMap<>();
        List<DeviceInfo> devices = family.devices();
        for (DeviceInfo device : devices) {
            if (device.deviceId() == DeviceId.NET) {
                macOf(family, device.name()).ifPresent(mac -> macs.put(device.name(), mac));
            }
        }
        return of(devices, macs);
    }

    private static Optional<String> macOf(VdpaFamily family, String device) throws IOException {
        try {
            return family.config(device).mac();
        } catch (ManagementException e) {
            if (e.errno() == Errno.EOPNOTSUPP || e.errno() == Errno.ENODEV || e.errno() == Errno.EAGAIN) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** @param macs of network cards that have one, by device name */
    static SequencedMap<String, DeviceInfo> of(List<DeviceInfo> devices, Map<String, String> macs) {
        SequencedMap<String, DeviceInfo> names = new LinkedHashMap<>();
        for (DeviceInfo device : devices) {
            String mac = macs.getOrDefault(device.name(), NO_MAC);
            boolean unique = !mac.equals(NO_MAC)
                    && macs.values().stream().filter(mac::equals).count() == 1;
            names.put(type(device.deviceId()) + "-" + (unique ? mac : device.name()), device);
        }
        return names;
    }

    /**
     * The name on the vdpa bus of a device that is given by that name or by its stable one; a name that is neither as it
     * is, for the kernel to refuse.
     */
    public static String resolve(VdpaFamily family, String name) throws IOException {
        return resolve(of(family), name);
    }

    static String resolve(SequencedMap<String, DeviceInfo> names, String name) {
        boolean onBus = names.values().stream().anyMatch(device -> device.name().equals(name));
        DeviceInfo stable = names.get(name.replaceFirst("/", "-"));
        return onBus || stable == null ? name : stable.name();
    }

    /**
     * Finds a device by its stable name (with {@code -} or {@code /} behind the type), or by its name on the vdpa bus.
     *
     * @throws IOException where there is none: says which there are
     */
    public static DeviceInfo find(VdpaFamily family, String name) throws IOException {
        return find(of(family), name);
    }

    /**
     * The character device of a device that is given by its stable name or its name on the vdpa bus, as it is now.
     *
     * @throws IOException where there is no such device, or vhost_vdpa does not have it
     */
    public static Path characterDevice(VdpaFamily family, VdpaBus bus, String name) throws IOException {
        DeviceInfo device = find(family, name);
        Optional<Path> node = bus.characterDevice(device.name());
        if (node.isEmpty()) {
            throw new IOException(
                    "vDPA device %s has no character device: %s has it; give it to vhost_vdpa: fairlead dev bind %s"
                            .formatted(name, bus.driver(device.name()).orElse("no bus driver"), device.name()));
        }
        return node.get();
    }

    static DeviceInfo find(SequencedMap<String, DeviceInfo> names, String name) throws IOException {
        String onBus = resolve(names, name);
        for (DeviceInfo device : names.values()) {
            if (device.name().equals(onBus)) {
                return device;
            }
        }
        List<String> known = new ArrayList<>();
        names.forEach((key, device) -> known.add(Refusal.printable("%s (%s)".formatted(key, device.name()))));
        throw new IOException("vDPA device %s does not exist; there %s"
                .formatted(name, known.isEmpty() ? "is none" : "are: " + String.join(", ", known)));
    }
}
