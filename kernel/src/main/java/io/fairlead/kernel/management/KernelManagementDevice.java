package io.fairlead.kernel.management;

import io.fairlead.vdpa.ManagementDevice;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * A management device of the kernel as one of Fairlead's: its devices are created by netlink, given to vhost_vdpa, and
 * opened. A device outlives the process that created it; {@link #delete} deletes it.
 */
public final class KernelManagementDevice implements ManagementDevice {
    /** Makes a device of ours of a character device of the kernel. */
    public interface Opener {
        /**
         * @param device what the kernel tells of it
         * @param characterDevice such as {@code /dev/vhost-vdpa-0}
         */
        VdpaDevice open(DeviceInfo device, Path characterDevice) throws IOException;
    }

    private final VdpaFamily family;
    private final VdpaBus bus;
    private final ManagementDeviceInfo info;
    private final Opener opener;

    /** @param family stays open as long as this object is in use; closed by its owner */
    public KernelManagementDevice(VdpaFamily family, VdpaBus bus, ManagementDeviceInfo info, Opener opener) {
        this.family = family;
        this.bus = bus;
        this.info = info;
        this.opener = opener;
    }

    /** All management devices that the kernel has now. */
    public static List<KernelManagementDevice> all(VdpaFamily family, VdpaBus bus, Opener opener) throws IOException {
        List<KernelManagementDevice> all = new ArrayList<>();
        for (ManagementDeviceInfo info : family.managementDevices()) {
            all.add(new KernelManagementDevice(family, bus, info, opener));
        }
        return all;
    }

    @Override
    public String name() {
        return info.name().toString();
    }

    @Override
    public Set<Integer> deviceIds() {
        return info.deviceIds();
    }

    @Override
    public OptionalInt maxQueues() {
        OptionalLong told = info.maxQueues();
        return told.isPresent()
                ? OptionalInt.of((int) Math.min(told.getAsLong(), Integer.MAX_VALUE))
                : OptionalInt.empty();
    }

    @Override
    public OptionalLong supportedFeatures() {
        return info.supportedFeatures();
    }

    /**
     * {@inheritDoc} What was created is deleted again where it cannot be used.
     *
     * @param attributes of {@link DeviceAttributes#parse}
     */
    @Override
    public VdpaDevice add(String name, int deviceId, Map<String, String> attributes) throws IOException {
        family.add(name, info.name(), DeviceAttributes.parse(attributes));
        try {
            DeviceInfo device = family.device(name);
            if (device.deviceId() != deviceId) {
                throw new IOException("management device %s made %s a %s device and no %s device"
                        .formatted(name(), name, DeviceId.name(device.deviceId()), DeviceId.name(deviceId)));
            }
            bus.bind(name, VdpaBus.VHOST_VDPA);
            Path node = bus.characterDevice(name)
                    .orElseThrow(() -> new IOException("vDPA device %s has no character device".formatted(name)));
            return opener.open(device, node);
        } catch (IOException | RuntimeException e) {
            try {
                family.delete(name);
            } catch (IOException undone) {
                e.addSuppressed(undone);
            }
            throw e;
        }
    }

    @Override
    public void delete(VdpaDevice device) throws IOException {
        device.close();
        // The kernel would wait for whoever else has it open, and with it all of its vDPA management.
        bus.requireUnused(device.name(), "delete it");
        family.delete(device.name());
    }
}
