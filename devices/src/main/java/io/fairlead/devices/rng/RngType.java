package io.fairlead.devices.rng;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.base.SoftwareType;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.util.Map;

/** Creates entropy devices. They have the attributes of {@link RingSettings} alone. */
public final class RngType implements SoftwareType {
    /** The attributes that an entropy device has. */
    public static final String ATTRIBUTES = RingSettings.ATTRIBUTES;

    /** Knows the type; has no state. */
    public RngType() {}

    @Override
    public int deviceId() {
        return DeviceId.RNG;
    }

    @Override
    public VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException {
        return RngDevice.create(name, settings(attributes), loops);
    }

    static RingSettings settings(Map<String, String> attributes) {
        RingSettings settings = RingSettings.standard();
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            settings = settings.with(attribute.getKey(), attribute.getValue());
        }
        return settings;
    }

    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        return RingSettings.like(other);
    }
}
