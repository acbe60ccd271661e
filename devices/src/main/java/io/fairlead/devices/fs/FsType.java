package io.fairlead.devices.fs;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.base.SoftwareType;
import io.fairlead.vdpa.AttributeValue;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.FsConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Creates shared file systems. What their attributes mean stands at {@link FsSettings} and in docs/fs.md. */
public final class FsType implements SoftwareType {
    /** The attributes that a shared file system has. */
    public static final String ATTRIBUTES = "path, tag, queues, read-only, cache, locks, xattr, uid-map, gid-map,"
            + " max-inodes, max-handles, max-descriptors, file-handles, export, " + RingSettings.ATTRIBUTES;

    private static final int MAX_INODES = 1 << 20;
    private static final int MAX_HANDLES = 1 << 16;
    private static final int MAX_DESCRIPTORS = 1 << 13;

    private static final Map<String, String> DEFAULTS = Map.ofEntries(
            Map.entry("queues", "1"),
            Map.entry("read-only", "off"),
            Map.entry("cache", "auto"),
            Map.entry("locks", "host"),
            Map.entry("xattr", "user"),
            Map.entry("uid-map", ""),
            Map.entry("gid-map", ""),
            Map.entry("max-inodes", Integer.toString(MAX_INODES)),
            Map.entry("max-handles", Integer.toString(MAX_HANDLES)),
            Map.entry("max-descriptors", Integer.toString(MAX_DESCRIPTORS)),
            Map.entry("file-handles", "on"),
            Map.entry("export", ""));

    /** Knows the type; has no state. */
    public FsType() {}

    @Override
    public int deviceId() {
        return DeviceId.FS;
    }

    @Override
    public VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException {
        return FsDevice.create(name, settings(attributes));
    }

    @Override
    public String changeable() {
        return "read-only";
    }

    @Override
    public Set<String> followed() {
        return Set.of("read-only");
    }

    /** {@code read-only}: on or off, from the next request on. */
    @Override
    public void change(VdpaDevice device, Map<String, String> attributes, boolean forced) throws IOException {
        for (String key : attributes.keySet()) {
            if (!key.equals("read-only")) {
                throw unchangeable(device, key);
            }
        }
        ((FsDevice) device).readOnly(AttributeValue.onOrOff("read-only", value(attributes, "read-only")));
    }

    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        Map<String, String> attributes = RingSettings.like(other);
        attributes.put("queues", Integer.toString(Math.max(1, other.queues().size() - 1)));
        byte[] config = other.config().toArray();
        if (config.length >= FsConfig.TAG.end()) {
            int end = 0;
            while (end < FsConfig.TAG.end() && config[end] != 0) {
                end++;
            }
            attributes.put("tag", new String(config, 0, end, StandardCharsets.UTF_8));
        }
        return attributes;
    }

    /** @throws IllegalArgumentException where an attribute is unknown, missing or wrong */
    static FsSettings settings(Map<String, String> attributes) {
        Map<String, String> all = new HashMap<>(DEFAULTS);
        RingSettings rings = RingSettings.standard();
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            String key = attribute.getKey();
            if (RingSettings.has(key)) {
                rings = rings.with(key, attribute.getValue());
            } else if (DEFAULTS.containsKey(key) || key.equals("path") || key.equals("tag")) {
                all.put(key, attribute.getValue());
            } else {
                throw new IllegalArgumentException(
                        "%s: a file system has no such attribute; it has: %s".formatted(key, ATTRIBUTES));
            }
        }
        return new FsSettings(
                path(needed(all, "path", "/srv/home")),
                needed(all, "tag", "home"),
                AttributeValue.number("queues", value(all, "queues")),
                rings,
                AttributeValue.onOrOff("read-only", value(all, "read-only")),
                choice("cache", value(all, "cache"), FsSettings.Cache.class),
                hostLocks(value(all, "locks")),
                choice("xattr", value(all, "xattr"), FsSettings.Xattr.class),
                IdMap.parse("uid-map", value(all, "uid-map")),
                IdMap.parse("gid-map", value(all, "gid-map")),
                AttributeValue.positive("max-inodes", value(all, "max-inodes")),
                AttributeValue.positive("max-handles", value(all, "max-handles")),
                AttributeValue.positive("max-descriptors", value(all, "max-descriptors")),
                AttributeValue.onOrOff("file-handles", value(all, "file-handles")),
                value(all, "export"));
    }

    private static String value(Map<String, String> attributes, String key) {
        return attributes.getOrDefault(key, "");
    }

    private static String needed(Map<String, String> attributes, String key, String example) {
        String value = value(attributes, key);
        if (value.isEmpty()) {
            throw new IllegalArgumentException(
                    "%s: a file system needs one, such as %s=%s".formatted(key, key, example));
        }
        return value;
    }

    private static Path path(String text) {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("path: " + e.getMessage(), e);
        }
    }

    private static boolean hostLocks(String value) {
        return switch (value) {
            case "host" -> true;
            case "guest" -> false;
            default -> throw new IllegalArgumentException("locks: '%s' is neither host nor guest".formatted(value));
        };
    }

    private static <E extends Enum<E>> E choice(String key, String value, Class<E> type) {
        String[] names = Arrays.stream(type.getEnumConstants())
                .map(constant -> constant.name().toLowerCase(Locale.ROOT))
                .toArray(String[]::new);
        for (int i = 0; i < names.length; i++) {
            if (names[i].equals(value)) {
                return type.getEnumConstants()[i];
            }
        }
        throw new IllegalArgumentException("%s: '%s' is none of %s".formatted(key, value, String.join(", ", names)));
    }
}
