package io.fairlead.vdpa.preflight;

import io.fairlead.vdpa.ManagementDevice;
import java.util.Map;

/** A management device that can make a device as another host's is, so that a machine can move from there. */
public interface Provisioner extends ManagementDevice {
    /**
     * The attributes of {@link #add} that give a new device the features and the configuration of another one, as far as
     * this kind of device has a choice. What it stands for outside of the machine, as a path or a volume, is not among
     * them: {@link Preflight} compares that.
     *
     * @param other of one of {@link #deviceIds}; not trusted: {@link #add} judges the values
     */
    Map<String, String> attributesLike(DeviceProfile other);
}
