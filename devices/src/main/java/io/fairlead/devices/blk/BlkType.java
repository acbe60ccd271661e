package io.fairlead.devices.blk;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.base.SoftwareType;
import io.fairlead.vdpa.AttributeValue;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Creates disks. Attributes: {@code path} (needed), {@code read-only}, {@code direct}, {@code locked}, {@code discard}
 * (on or off), {@code queues}, {@code queue-size}, {@code serial}, {@code block-size}, {@code physical-block-size}, {@code volume}, {@code features}
 * (a number, also as 0x...), {@code delay-millis}; what they mean stands at {@link BlkSettings}.
 */
public final class BlkType implements SoftwareType {
    /** The attributes that a disk has. */
    public static final String ATTRIBUTES =
            "path, read-only, direct, locked, discard, queues, queue-size, serial, block-size, physical-block-size,"
                    + " volume, features, delay-millis";

    private static final String SIZE = "size";
    private static final int SECTOR_BYTES = 512;

    /** Knows the type; has no state. */
    public BlkType() {}

    @Override
    public int deviceId() {
        return DeviceId.BLOCK;
    }

    @Override
    public VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException {
        return BlkDevice.create(name, settings(attributes), loops);
    }

    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        Map<String, String> attributes = RingSettings.like(other);
        attributes.put("queues", Integer.toString(other.queues().size()));
        attributes.put("read-only", (other.deviceFeatures() & BlkConfig.F_RO) != 0 ? "on" : "off");
        if (!other.identity("serial").isEmpty()) {
            attributes.put("serial", other.identity("serial"));
        }
        OptionalLong block = config(other, BlkConfig.BLOCK_SIZE_BYTES);
        block.ifPresent(bytes -> attributes.put("block-size", Long.toString(bytes)));
        config(other, BlkConfig.PHYSICAL_BLOCK_EXP)
                .ifPresent(exponent -> attributes.put(
                        "physical-block-size", Long.toString(block.orElse(SECTOR_BYTES) << (exponent & 0x1f))));
        return attributes;
    }

    private static OptionalLong config(DeviceProfile other, ConfigField field) {
        return field.exists(other.deviceFeatures())
                        && field.end() <= other.config().size()
                ? OptionalLong.of(
                        field.read(MemorySegment.ofArray(other.config().toArray())))
                : OptionalLong.empty();
    }

    @Override
    public String changeable() {
        return SIZE;
    }

    /** {@code size}: bytes, also with K, M, G or T behind them, or {@code storage} for what the storage has by now. */
    @Override
    public void change(VdpaDevice device, Map<String, String> attributes, boolean forced) throws IOException {
        BlkDevice disk = (BlkDevice) device;
        for (String key : attributes.keySet()) {
            if (!key.equals(SIZE)) {
                throw unchangeable(device, key);
            }
        }
        String value = attributes.getOrDefault(SIZE, "");
        long newBytes = value.equals("storage") ? disk.presentBytes() : AttributeValue.bytes(SIZE, value);
        if (newBytes < disk.byteCount() && !forced) {
            throw new IllegalArgumentException(
                    "%s: size: %d bytes are less than the %d that it has: what lies behind them would be cut off; say so by --force"
                            .formatted(disk.name(), newBytes, disk.byteCount()));
        }
        disk.resize(newBytes);
    }

    /** A disk has its storage's size. */
    @Override
    public Map<String, String> changed(Map<String, String> attributes, Map<String, String> changes) {
        return attributes;
    }

    /** @throws IllegalArgumentException where an attribute is unknown, missing or wrong */
    static BlkSettings settings(Map<String, String> attributes) {
        String path = attributes.get("path");
        if (path == null || path.isEmpty()) {
            throw new IllegalArgumentException("path: a disk needs one, such as path=/var/lib/images/a.raw");
        }
        BlkSettings settings;
        try {
            settings = BlkSettings.of(Path.of(path));
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("path: " + e.getMessage(), e);
        }
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            settings = with(settings, attribute.getKey(), attribute.getValue());
        }
        return settings;
    }

    private static BlkSettings with(BlkSettings settings, String key, String value) {
        return switch (key) {
            case "path" -> settings;
            case "read-only" -> settings.withReadOnly(AttributeValue.onOrOff(key, value));
            case "direct" -> settings.withDirect(AttributeValue.onOrOff(key, value));
            case "locked" -> settings.withLocked(AttributeValue.onOrOff(key, value));
            case "discard" -> settings.withDiscard(AttributeValue.onOrOff(key, value));
            case "queues" -> settings.withQueueCount(AttributeValue.number(key, value));
            case "queue-size" -> settings.withQueueSize(AttributeValue.number(key, value));
            case "serial" -> settings.withSerial(value);
            case "block-size" -> settings.withBlockSizeBytes(AttributeValue.number(key, value));
            case "physical-block-size" -> settings.withPhysicalBlockSizeBytes(AttributeValue.number(key, value));
            case "volume" -> settings.withVolume(value);
            case "features" -> settings.withFeatures(AttributeValue.bits(key, value));
            case "delay-millis" -> settings.withDelayMillis(AttributeValue.number(key, value));
            default ->
                throw new IllegalArgumentException(
                        "%s: a disk has no such attribute; it has: %s".formatted(key, ATTRIBUTES));
        };
    }
}
