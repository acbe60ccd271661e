package io.fairlead.devices.all;

import io.fairlead.devices.base.SoftwareType;
import io.fairlead.devices.blk.BlkType;
import io.fairlead.devices.console.ConsoleType;
import io.fairlead.devices.fs.FsType;
import io.fairlead.devices.net.NetType;
import io.fairlead.devices.rng.RngType;
import io.fairlead.devices.scsi.ScsiType;
import io.fairlead.devices.vsock.VsockType;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Provisioner;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Creates the software devices of every type that Fairlead has. */
public final class SoftwareManagement implements Provisioner {
    /** The attributes of each type, for help texts. */
    public static final String HELP = "For type=blk: " + BlkType.ATTRIBUTES
            + "%nFor type=console: " + ConsoleType.ATTRIBUTES
            + "%nFor type=fs: " + FsType.ATTRIBUTES
            + "%nFor type=net: " + NetType.ATTRIBUTES
            + "%nFor type=rng: " + RngType.ATTRIBUTES
            + "%nFor type=scsi: " + ScsiType.ATTRIBUTES
            + "%nFor type=vsock: " + VsockType.ATTRIBUTES;

    private final String name;
    private final EventLoopGroup loops;
    private final Map<Integer, SoftwareType> types = new LinkedHashMap<>();

    /** @param loops serve all devices; closed by their owner after the devices */
    public SoftwareManagement(String name, EventLoopGroup loops) {
        this.name = name;
        this.loops = loops;
        for (SoftwareType type : List.of(
                new BlkType(),
                new ConsoleType(),
                new FsType(),
                new NetType(),
                new RngType(),
                new ScsiType(),
                new VsockType())) {
            types.put(type.deviceId(), type);
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Set<Integer> deviceIds() {
        return Set.copyOf(types.keySet());
    }

    @Override
    public VdpaDevice add(String deviceName, int deviceId, Map<String, String> attributes) throws IOException {
        return type(deviceId).create(deviceName, attributes, loops);
    }

    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        return type(other.deviceId()).attributesLike(other);
    }

    /** See {@link SoftwareType#change}. */
    public void change(VdpaDevice device, Map<String, String> attributes, boolean forced) throws IOException {
        type(device.deviceId()).change(device, attributes, forced);
    }

    /** See {@link SoftwareType#changed}. */
    public Map<String, String> changed(int deviceId, Map<String, String> attributes, Map<String, String> changes) {
        return type(deviceId).changed(attributes, changes);
    }

    /** Changes what another host may change, see {@link SoftwareType#followed}; leaves the rest. */
    public void follow(VdpaDevice device, Map<String, String> attributes) throws IOException {
        SoftwareType type = type(device.deviceId());
        Map<String, String> followed = new LinkedHashMap<>(attributes);
        followed.keySet().retainAll(type.followed());
        if (!followed.isEmpty()) {
            type.change(device, followed, false);
        }
    }

    private SoftwareType type(int deviceId) {
        SoftwareType type = types.get(deviceId);
        if (type == null) {
            throw new IllegalArgumentException(
                    "%s has no devices of virtio id %d, only %s".formatted(name, deviceId, types.keySet()));
        }
        return type;
    }
}
