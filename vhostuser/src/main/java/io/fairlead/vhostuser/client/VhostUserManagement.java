package io.fairlead.vhostuser.client;

import io.fairlead.vdpa.AttributeValue;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Provisioner;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Takes devices that other daemons serve. Attributes: {@code backend} (needed: the daemon's socket), {@code queues}, {@code
 * queue-size}, {@code config-bytes}, {@code dirty-log} (on or off), {@code features} (a number, also as 0x...), and what the device stands for: {@code volume}, {@code
 * serial}, {@code tag}, {@code mac}. What they mean stands at {@link VhostUserBackendSettings}.
 */
public final class VhostUserManagement implements Provisioner {
    /** The attributes that such a device has. */
    public static final String ATTRIBUTES =
            "backend, queues, queue-size, config-bytes, dirty-log, features, volume, serial, tag, mac";

    /** The attribute by which one knows that a device is of this kind. */
    public static final String BACKEND = "backend";

    private static final int LAST_DEVICE_ID = 0xffff;
    private static final Set<String> IDENTITY = Set.of("volume", "serial", "tag", "mac");

    private final String name;
    private final EventLoopGroup loops;

    /** @param loops watch the daemons; closed by their owner after the devices */
    public VhostUserManagement(String name, EventLoopGroup loops) {
        this.name = name;
        this.loops = loops;
    }

    @Override
    public String name() {
        return name;
    }

    /** All: the protocol does not mind the type. */
    @Override
    public Set<Integer> deviceIds() {
        return IntStream.rangeClosed(1, LAST_DEVICE_ID).boxed().collect(Collectors.toUnmodifiableSet());
    }

    @Override
    public VdpaDevice add(String deviceName, int deviceId, Map<String, String> attributes) throws IOException {
        return VhostUserBackend.connect(deviceName, settings(deviceId, attributes), loops.next());
    }

    /** Its features; the rest is the daemon's. */
    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        return Map.of("features", "0x%x".formatted(other.deviceFeatures()));
    }

    /** @throws IllegalArgumentException where an attribute is unknown, missing or wrong */
    static VhostUserBackendSettings settings(int deviceId, Map<String, String> attributes) {
        String backend = attributes.get(BACKEND);
        if (backend == null || backend.isEmpty()) {
            throw new IllegalArgumentException(
                    "backend: the daemon's socket is needed, such as backend=/run/disk0.sock");
        }
        VhostUserBackendSettings settings;
        try {
            settings = VhostUserBackendSettings.of(Path.of(backend), deviceId);
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("backend: " + e.getMessage(), e);
        }
        Map<String, String> identity = new HashMap<>();
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            String key = attribute.getKey();
            String value = attribute.getValue();
            if (IDENTITY.contains(key)) {
                identity.put(key, value);
                continue;
            }
            settings = switch (key) {
                case BACKEND -> settings;
                case "queues" -> settings.withQueueCount(AttributeValue.positive(key, value));
                case "queue-size" -> settings.withMaxQueueSize(AttributeValue.positive(key, value));
                case "config-bytes" -> settings.withConfigByteCount(AttributeValue.positive(key, value));
                case "dirty-log" -> settings.withDirtyLog(AttributeValue.onOrOff(key, value));
                case "features" -> settings.withFeatures(AttributeValue.bits(key, value));
                default ->
                    throw new IllegalArgumentException(
                            "%s: a device behind another daemon has no such attribute; it has: %s"
                                    .formatted(key, ATTRIBUTES));
            };
        }
        return settings.withIdentity(identity);
    }
}
