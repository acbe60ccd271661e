package io.fairlead.devices.console;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.base.SoftwareType;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.util.Map;

/** Creates consoles. Attributes: {@code path} (a file for output) or {@code listen} (a socket, both ways), and the rings'. */
public final class ConsoleType implements SoftwareType {
    /** The attributes that a console has. */
    public static final String ATTRIBUTES = ConsoleSettings.ATTRIBUTES;

    /** Knows the type; has no state. */
    public ConsoleType() {}

    @Override
    public int deviceId() {
        return DeviceId.CONSOLE;
    }

    @Override
    public VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException {
        return ConsoleDevice.create(name, ConsoleSettings.of(attributes), loops);
    }

    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        return RingSettings.like(other);
    }
}
