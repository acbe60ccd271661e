package io.fairlead.devices.base;

import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import java.io.IOException;
import java.util.Map;

/** What there is to know of a virtio type to make its devices: one a type's folder, known to {@code SoftwareManagement}. */
public interface SoftwareType {
    /** The virtio device id. */
    int deviceId();

    /** The names of the attributes that {@link #create} knows, with commas between them. */
    String attributes();

    /**
     * Creates a device.
     *
     * @param attributes as users give them
     * @param loops serve its queues; closed by their owner after the device
     * @throws IllegalArgumentException where an attribute is unknown, missing or wrong: says which, and what is allowed
     * @throws IOException where the host refuses
     */
    VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException;

    /** See {@link io.fairlead.vdpa.preflight.Provisioner#attributesLike}. */
    Map<String, String> attributesLike(DeviceProfile other);
}
