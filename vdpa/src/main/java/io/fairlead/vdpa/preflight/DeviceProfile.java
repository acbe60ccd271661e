package io.fairlead.vdpa.preflight;

import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What a device is and can do, as far as it decides whether a machine may move to or from it. Immutable.
 *
 * @param name the device's name on its host
 * @param vendor who made the device; empty where nobody said
 * @param deviceId the virtio device id
 * @param deviceFeatures what it offers
 * @param driverFeatures what its driver took; 0 before
 * @param queues by index
 * @param config the bytes of the configuration space
 * @param identity what it stands for outside of the machine, see {@link VdpaDevice#identity}
 * @param capabilities names of {@link VdpaDevice.Capability}; a peer may know more than we do
 */
public record DeviceProfile(
        String name,
        String vendor,
        int deviceId,
        long deviceFeatures,
        long driverFeatures,
        List<Queue> queues,
        Octets config,
        SortedMap<String, String> identity,
        SortedSet<String> capabilities) {
    /** The most queues of a device. */
    public static final int MAX_QUEUES = 4096;

    /**
     * One queue.
     *
     * @param maxSize the most entries that it may have
     * @param sizeInUse entries that its driver gave it; 0 where no driver set it up
     */
    public record Queue(int maxSize, int sizeInUse) {}

    public DeviceProfile {
        queues = List.copyOf(queues);
        identity = Collections.unmodifiableSortedMap(new TreeMap<>(identity));
        capabilities = Collections.unmodifiableSortedSet(new TreeSet<>(capabilities));
    }

    /** Takes the profile of a device, running or not. */
    public static DeviceProfile of(VdpaDevice device) throws IOException {
        return of(device, ConfigCopy.of(device));
    }

    /** As {@link #of(VdpaDevice)}, with a configuration space that was read before. */
    public static DeviceProfile of(VdpaDevice device, ConfigCopy config) throws IOException {
        if (device.queueCount() > MAX_QUEUES) {
            throw new IOException(
                    "%s: %d queues are more than %d".formatted(device.name(), device.queueCount(), MAX_QUEUES));
        }
        List<Queue> queues = new ArrayList<>();
        for (int i = 0; i < device.queueCount(); i++) {
            QueueSetup setup = device.queueSetup(i);
            queues.add(new Queue(device.maxQueueSize(i), isSetUp(setup) ? setup.size() : 0));
        }
        return new DeviceProfile(
                device.name(),
                "",
                device.deviceId(),
                device.deviceFeatures(),
                device.driverFeatures(),
                queues,
                config.bytes(),
                new TreeMap<>(device.identity()),
                device.capabilities().stream().map(Enum::name).collect(Collectors.toCollection(TreeSet::new)));
    }

    /** Whether a driver gave a queue its rings. */
    public static boolean isSetUp(QueueSetup setup) {
        return (setup.descriptorAddress() | setup.driverAddress() | setup.deviceAddress()) != 0;
    }

    /** The same with a word on who made the device. */
    public DeviceProfile withVendor(String newVendor) {
        return new DeviceProfile(
                name, newVendor, deviceId, deviceFeatures, driverFeatures, queues, config, identity, capabilities);
    }

    /** The same with more words on what it stands for, which a user knows and the device does not. */
    public DeviceProfile withIdentity(Map<String, String> more) {
        SortedMap<String, String> all = new TreeMap<>(identity);
        all.putAll(more);
        return new DeviceProfile(
                name, vendor, deviceId, deviceFeatures, driverFeatures, queues, config, all, capabilities);
    }

    public boolean can(VdpaDevice.Capability capability) {
        return capabilities.contains(capability.name());
    }

    public boolean isPacked() {
        return Feature.has(driverFeatures, Feature.RING_PACKED);
    }

    /** What a key of the identity says; empty where it is unknown. */
    public String identity(String key) {
        return identity.getOrDefault(key, "");
    }

    /** Its type's name, such as {@code block}. */
    public String type() {
        return DeviceId.name(deviceId);
    }
}
