package io.fairlead.devices.vsock;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.base.SoftwareType;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.VsockConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/** Creates socket devices. Attributes: {@code cid}, {@code path}, {@code connections}, and the rings'. */
public final class VsockType implements SoftwareType {
    /** The attributes that a socket device has. */
    public static final String ATTRIBUTES = VsockSettings.ATTRIBUTES;

    /** Knows the type; has no state. */
    public VsockType() {}

    @Override
    public int deviceId() {
        return DeviceId.VSOCK;
    }

    @Override
    public VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException {
        return VsockDevice.create(name, VsockSettings.of(attributes), loops);
    }

    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        Map<String, String> attributes = RingSettings.like(other);
        byte[] config = other.config().toArray();
        if (config.length >= VsockConfig.BYTES) {
            attributes.put(
                    VsockSettings.CID,
                    Long.toUnsignedString(VsockConfig.GUEST_CID.read(MemorySegment.ofArray(config))));
        }
        return attributes;
    }
}
