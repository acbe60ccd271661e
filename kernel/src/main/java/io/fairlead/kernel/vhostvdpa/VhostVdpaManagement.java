package io.fairlead.kernel.vhostvdpa;

import io.fairlead.kernel.management.StableNames;
import io.fairlead.kernel.management.VdpaBus;
import io.fairlead.kernel.management.VdpaFamily;
import io.fairlead.linux.Errno;
import io.fairlead.linux.LinuxException;
import io.fairlead.vdpa.AttributeValue;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Provisioner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Takes devices of the kernel's vDPA framework. Attributes: {@code vhost-vdpa} (needed: the device's name, or its
 * file, such as /dev/vhost-vdpa-0), {@code queues}, {@code queue-size}, {@code dirty-log} (on or off), {@code features} (a number, also as
 * 0x...), and what the device stands for: {@code volume}, {@code serial}, {@code tag}, {@code mac}. What they mean stands at
 * {@link VhostVdpaSettings}.
 */
public final class VhostVdpaManagement implements Provisioner, AutoCloseable {
    /** The attributes that such a device has. */
    public static final String ATTRIBUTES =
            "vhost-vdpa, queues, queue-size, dirty-log, features, volume, serial, tag, mac";

    /** The attribute by which one knows that a device is of this kind. */
    public static final String VHOST_VDPA = "vhost-vdpa";

    private static final int LAST_DEVICE_ID = 0xffff;
    private static final Set<String> IDENTITY = Set.of("volume", "serial", "tag", "mac");

    private static final VhostCalls.Opener OF_HOST = new VhostCalls.Opener() {
        @Override
        public VhostCalls open(Path path) throws IOException {
            return openFile(path);
        }

        @Override
        public Path find(Path path) throws IOException {
            if (path.getParent() != null) {
                return path;
            }
            try (VdpaFamily family = VdpaFamily.open()) {
                return StableNames.characterDevice(family, VdpaBus.ofHost(), path.toString());
            }
        }
    };

    private final String name;
    private @Nullable DeviceWatch watch;

    public VhostVdpaManagement(String name) {
        this.name = name;
    }

    @Override
    public String name() {
        return name;
    }

    /** All: the kernel does not mind the type. */
    @Override
    public Set<Integer> deviceIds() {
        return IntStream.rangeClosed(1, LAST_DEVICE_ID).boxed().collect(Collectors.toUnmodifiableSet());
    }

    @Override
    public VdpaDevice add(String deviceName, int deviceId, Map<String, String> attributes) throws IOException {
        return open(deviceName, settings(deviceId, attributes));
    }

    /**
     * Opens a device, which resets it.
     *
     * @throws IllegalArgumentException where it is not what the settings want
     * @throws IOException where the kernel refuses: says what to do
     */
    public VhostVdpaDevice open(String deviceName, VhostVdpaSettings settings) throws IOException {
        return new VhostVdpaDevice(new VhostVdpaControl(deviceName, settings, OF_HOST, watch(), PinLimit.OF_PROCESS));
    }

    private synchronized DeviceWatch watch() throws IOException {
        DeviceWatch known = watch;
        if (known == null) {
            known = new DeviceWatch();
            watch = known;
        }
        return known;
    }

    private static VhostCalls openFile(Path path) throws IOException {
        try {
            return VhostCalls.open(path);
        } catch (LinuxException e) {
            String remedy = switch (e.errno()) {
                case Errno.ENOENT ->
                    "there is no such device: create one with 'vdpa dev add', and bind it to vhost_vdpa";
                case Errno.EBUSY -> "another process uses it, and only one can";
                case Errno.EACCES, Errno.EPERM -> "this user may not use it: give it the device's file (chown)";
                case Errno.EOPNOTSUPP, 524 ->
                    "it sits behind an IOMMU that does not keep memory coherent, or behind none: boot with"
                            + " intel_iommu=on or amd_iommu=on";
                default -> null;
            };
            throw remedy == null ? e : new IOException("%s: %s".formatted(e.getMessage(), remedy), e);
        }
    }

    /** Its features; the rest is the device's. */
    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        return Map.of("features", "0x%x".formatted(other.deviceFeatures()));
    }

    /** @throws IllegalArgumentException where an attribute is unknown, missing or wrong */
    static VhostVdpaSettings settings(int deviceId, Map<String, String> attributes) {
        Map<String, String> identity = new HashMap<>();
        int queues = 0;
        int queueSize = 0;
        boolean dirtyLog = true;
        long features = -1;
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            String key = attribute.getKey();
            String value = attribute.getValue();
            switch (key) {
                case VHOST_VDPA -> {}
                case "queues" -> queues = AttributeValue.positive(key, value);
                case "queue-size" -> queueSize = AttributeValue.positive(key, value);
                case "dirty-log" -> dirtyLog = AttributeValue.onOrOff(key, value);
                case "features" -> features = AttributeValue.bits(key, value);
                default -> {
                    if (!IDENTITY.contains(key)) {
                        throw new IllegalArgumentException(
                                "%s: a device of the kernel has no such attribute; it has: %s"
                                        .formatted(key, ATTRIBUTES));
                    }
                    identity.put(key, value);
                }
            }
        }
        return new VhostVdpaSettings(
                path(attributes.get(VHOST_VDPA)), deviceId, queues, queueSize, identity, dirtyLog, features);
    }

    /** A name, or the file itself where a link leads to it: what it is called is watched. */
    private static Path path(@Nullable String value) {
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("vhost-vdpa: the device's name or file is needed, such as"
                    + " vhost-vdpa=blk-disk0 or vhost-vdpa=/dev/vhost-vdpa-0");
        }
        try {
            Path path = Path.of(value);
            return path.getParent() != null && Files.exists(path) ? path.toRealPath() : path;
        } catch (InvalidPathException | IOException e) {
            throw new IllegalArgumentException("vhost-vdpa: " + e.getMessage(), e);
        }
    }

    /** Ends the thread that listens to the kernel; after the devices. */
    @Override
    public synchronized void close() {
        if (watch != null) {
            watch.close();
            watch = null;
        }
    }
}
