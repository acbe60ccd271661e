package io.fairlead.devices.net;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.base.SoftwareType;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Creates network devices, and the switches that they name: a switch is there from its first device on. What the attributes
 * mean stands at {@link NetSettings}. Devices of one switch have the same loops.
 */
public final class NetType implements SoftwareType {
    /** The attributes that a network device has. */
    public static final String ATTRIBUTES = NetSettings.ATTRIBUTES;

    private static final List<String> CHANGEABLE = List.of("link", "mtu", "rate-mbps");

    private final Map<String, Switch> switches = new HashMap<>();

    /** Has no switches yet. */
    public NetType() {}

    @Override
    public int deviceId() {
        return DeviceId.NET;
    }

    @Override
    public VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException {
        NetSettings settings = NetSettings.of(attributes);
        return NetDevice.create(name, settings, port -> backend(settings, port, loops), loops);
    }

    private NetBackend backend(NetSettings settings, NetPort port, EventLoopGroup loops) throws IOException {
        return settings.tapName().isEmpty()
                ? switchOf(settings, loops).backend(settings.queuePairs(), port)
                : TapBackend.open(settings.tapName(), settings.queuePairs(), port);
    }

    private synchronized Switch switchOf(NetSettings settings, EventLoopGroup loops) {
        return switches.computeIfAbsent(settings.switchName(), key -> new Switch(key, loops));
    }

    @Override
    public String changeable() {
        return String.join(", ", CHANGEABLE);
    }

    @Override
    public Set<String> followed() {
        return Set.copyOf(CHANGEABLE);
    }

    /** Those that {@link #changeable} lists, as at the start. */
    @Override
    public void change(VdpaDevice device, Map<String, String> attributes, boolean forced) throws IOException {
        NetDevice card = (NetDevice) device;
        NetSettings wanted = card.settings();
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            if (!CHANGEABLE.contains(attribute.getKey())) {
                throw unchangeable(device, attribute.getKey());
            }
            wanted = wanted.with(attribute.getKey(), attribute.getValue());
        }
        if (attributes.containsKey("link")) {
            card.linkUp(wanted.linkUp());
        }
        if (attributes.containsKey("mtu")) {
            card.mtuBytes(wanted.mtuBytes());
        }
        if (attributes.containsKey("rate-mbps")) {
            card.rateMegabits(wanted.rateMegabits());
        }
    }

    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        Map<String, String> attributes = RingSettings.like(other);
        if ((other.deviceFeatures() & NetConfig.F_MAC) != 0 && other.config().size() >= NetConfig.MAC.end()) {
            attributes.put("mac", NetSettings.macText(DriverChoices.mac(bytes(other), NetConfig.MAC.offset())));
        }
        config(other, NetConfig.MAX_VIRTQUEUE_PAIRS).ifPresent(pairs -> attributes.put("queues", Long.toString(pairs)));
        config(other, NetConfig.MTU_BYTES).ifPresent(mtu -> attributes.put("mtu", Long.toString(mtu)));
        config(other, NetConfig.SPEED_MEGABITS)
                .ifPresent(megabits -> attributes.put("speed-mbps", Long.toString(megabits)));
        if (!other.can(VdpaDevice.Capability.STREAM_STATE)) {
            attributes.put("device-state", "off");
        }
        return attributes;
    }

    private static MemorySegment bytes(DeviceProfile profile) {
        return MemorySegment.ofArray(profile.config().toArray());
    }

    private static OptionalLong config(DeviceProfile other, ConfigField field) {
        return field.exists(other.deviceFeatures())
                        && field.end() <= other.config().size()
                ? OptionalLong.of(field.read(bytes(other)))
                : OptionalLong.empty();
    }
}
