package io.fairlead.devices.base;

import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** What there is to know of a virtio type to make its devices: one a type's folder, known to {@code SoftwareManagement}. */
public interface SoftwareType {
    /** The virtio device id. */
    int deviceId();

    /**
     * Creates a device.
     *
     * @param attributes as users give them
     * @param loops serve its queues; closed by their owner after the device
     * @throws IllegalArgumentException where an attribute is unknown, missing or wrong: says which, and what is allowed
     * @throws IOException where the host refuses
     */
    VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException;

    /** The attributes that {@link #change} knows, with commas between them; empty for none. */
    default String changeable() {
        return "";
    }

    /**
     * Changes a device while a driver uses it, which is told. Any thread.
     *
     * @param device of this type's
     * @param attributes at least one
     * @param forced also where it can cost data
     * @throws IllegalArgumentException where an attribute cannot be changed or the value is wrong; nothing has changed then
     * @throws IOException where the host refuses
     */
    default void change(VdpaDevice device, Map<String, String> attributes, boolean forced) throws IOException {
        throw unchangeable(device, attributes.keySet().iterator().next());
    }

    /**
     * What a device that was changed is made of the next time. What a change did to storage is not among it.
     *
     * @param attributes that it was made of
     * @param changes that it took
     */
    default Map<String, String> changed(Map<String, String> attributes, Map<String, String> changes) {
        Map<String, String> all = new LinkedHashMap<>(attributes);
        all.putAll(changes);
        return all;
    }

    /**
     * Those of them that are set here as another host says, whose machine moves here: what the states of devices do not
     * carry, and what names nothing of this host.
     */
    default Set<String> followed() {
        return Set.of();
    }

    /** Says what can be changed. */
    default IllegalArgumentException unchangeable(VdpaDevice device, String key) {
        return new IllegalArgumentException("%s: %s cannot be changed while the device is there; %s"
                .formatted(
                        device.name(),
                        key,
                        changeable().isEmpty() ? "nothing of it can" : "this can: " + changeable()));
    }

    /** See {@link io.fairlead.vdpa.preflight.Provisioner#attributesLike}. */
    Map<String, String> attributesLike(DeviceProfile other);
}
