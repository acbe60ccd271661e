package io.fairlead.vdpa;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The management devices and devices of one process, by name. Closing it closes all devices, the youngest first.
 * Thread-safe.
 */
public final class Registry implements AutoCloseable {
    /** A device and where it comes from. */
    public record Entry(VdpaDevice device, ManagementDevice managementDevice) {}

    private static final int MAX_IDS_NAMED = 32;

    private final Map<String, ManagementDevice> managementDevices = new LinkedHashMap<>();
    private final Map<String, Entry> devices = new LinkedHashMap<>();

    /** An empty one. */
    public Registry() {}

    /**
     * Makes a management device known.
     *
     * @throws IllegalArgumentException where the name is taken
     */
    public synchronized void register(ManagementDevice managementDevice) {
        if (managementDevices.putIfAbsent(managementDevice.name(), managementDevice) != null) {
            throw new IllegalArgumentException("management device " + managementDevice.name() + " exists already");
        }
    }

    public synchronized List<ManagementDevice> managementDevices() {
        return List.copyOf(managementDevices.values());
    }

    /**
     * Creates a device.
     *
     * @throws IllegalArgumentException where the management device is unknown or cannot make the type, the name is taken
     *     or empty, or an attribute is wrong
     */
    public synchronized VdpaDevice add(
            String managementDeviceName, String name, int deviceId, Map<String, String> attributes) throws IOException {
        ManagementDevice managementDevice = managementDevices.get(managementDeviceName);
        if (managementDevice == null) {
            throw new IllegalArgumentException("management device %s does not exist; there are: %s"
                    .formatted(managementDeviceName, String.join(", ", managementDevices.keySet())));
        }
        if (!managementDevice.deviceIds().contains(deviceId)) {
            throw new IllegalArgumentException("management device %s cannot create devices of virtio id %d%s"
                    .formatted(managementDeviceName, deviceId, only(managementDevice.deviceIds())));
        }
        if (name.isBlank()) {
            throw new IllegalArgumentException("a device needs a name");
        }
        if (devices.containsKey(name)) {
            throw new IllegalArgumentException("device " + name + " exists already; choose another name");
        }
        VdpaDevice device = managementDevice.add(name, deviceId, attributes);
        devices.put(name, new Entry(device, managementDevice));
        return device;
    }

    public synchronized Optional<Entry> find(String name) {
        return Optional.ofNullable(devices.get(name));
    }

    public synchronized List<Entry> devices() {
        return List.copyOf(devices.values());
    }

    /**
     * Has its management device delete a device, and forgets it; who serves it must have let go of it. Closing the registry
     * only closes devices.
     *
     * @throws IllegalArgumentException where there is none of that name
     */
    public synchronized void remove(String name) throws IOException {
        Entry entry = devices.remove(name);
        if (entry == null) {
            throw new IllegalArgumentException(
                    "device %s does not exist; there are: %s".formatted(name, String.join(", ", devices.keySet())));
        }
        entry.managementDevice().delete(entry.device());
    }

    @Override
    public synchronized void close() throws IOException {
        IOException first = null;
        for (Entry entry : new ArrayList<>(devices.values()).reversed()) {
            try {
                entry.device().close();
            } catch (IOException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        devices.clear();
        if (first != null) {
            throw first;
        }
    }

    /** Some management devices take nearly every id there is. */
    private static String only(Set<Integer> deviceIds) {
        return deviceIds.size() > MAX_IDS_NAMED ? "" : ", only " + new TreeSet<>(deviceIds);
    }
}
