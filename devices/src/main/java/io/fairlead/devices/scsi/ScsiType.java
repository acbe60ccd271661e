package io.fairlead.devices.scsi;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.base.SoftwareType;
import io.fairlead.vdpa.AttributeValue;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.UnitProfile;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.ScsiRequest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Creates SCSI hosts. Attributes: {@code lunN} is the path of logical unit N, {@code lunN.read-only} and so on are those of
 * {@link LunSettings}; {@code queues}, and those of {@link RingSettings}.
 */
public final class ScsiType implements SoftwareType {
    /** The attributes that a SCSI host has. */
    public static final String ATTRIBUTES = "lunN (the path of logical unit N), lunN.* (" + LunSettings.ATTRIBUTES
            + "), queues, " + RingSettings.ATTRIBUTES;

    private static final String SIZE = "size";
    private static final String READ_ONLY = "read-only";
    private static final String NONE = "none";
    private static final String QUEUES = "queues";
    private static final Pattern UNIT = Pattern.compile("lun(0|[1-9][0-9]{0,5})(?:\\.(.+))?");

    /** Knows the type; has no state. */
    public ScsiType() {}

    @Override
    public int deviceId() {
        return DeviceId.SCSI;
    }

    @Override
    public VdpaDevice create(String name, Map<String, String> attributes, EventLoopGroup loops) throws IOException {
        return ScsiDevice.create(name, settings(attributes), loops);
    }

    /** @throws IllegalArgumentException where an attribute is unknown, missing or wrong */
    static ScsiSettings settings(Map<String, String> attributes) {
        RingSettings rings = RingSettings.standard();
        int queues = 1;
        SortedMap<Integer, String> paths = new TreeMap<>();
        SortedMap<Integer, Map<String, String>> details = new TreeMap<>();
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            String key = attribute.getKey();
            Matcher unit = UNIT.matcher(key);
            if (RingSettings.has(key)) {
                rings = rings.with(key, attribute.getValue());
            } else if (key.equals(QUEUES)) {
                queues = AttributeValue.number(key, attribute.getValue());
            } else if (!unit.matches()) {
                throw new IllegalArgumentException(
                        "%s: a SCSI host has no such attribute; it has: %s".formatted(key, ATTRIBUTES));
            } else if (unit.group(2) == null) {
                paths.put(Integer.parseInt(unit.group(1)), attribute.getValue());
            } else {
                details.computeIfAbsent(Integer.parseInt(unit.group(1)), _ -> new LinkedHashMap<>())
                        .put(unit.group(2), attribute.getValue());
            }
        }
        for (int number : details.keySet()) {
            if (!paths.containsKey(number)) {
                throw new IllegalArgumentException(
                        "lun%1$d: has attributes but no path; say lun%1$d=PATH".formatted(number));
            }
        }
        List<LunSettings> units = new ArrayList<>();
        paths.forEach(
                (number, path) -> units.add(LunSettings.of(number, path, details.getOrDefault(number, Map.of()))));
        return new ScsiSettings(rings, queues, units);
    }

    @Override
    public String changeable() {
        return "lunN (a path adds a unit, none takes it away), lunN.size, lunN.read-only";
    }

    /** Units that are added take the attributes that are given with them; each change is one of its own. */
    @Override
    public void change(VdpaDevice device, Map<String, String> attributes, boolean forced) throws IOException {
        ScsiDevice scsi = (ScsiDevice) device;
        Map<String, String> sizes = new TreeMap<>();
        Map<Integer, Boolean> readOnly = new TreeMap<>();
        Map<String, String> added = new LinkedHashMap<>();
        List<Integer> removed = new ArrayList<>();
        attributes.forEach((key, value) -> {
            Matcher unit = UNIT.matcher(key);
            if (!unit.matches()) {
                throw unchangeable(device, key);
            } else if (SIZE.equals(unit.group(2))) {
                sizes.put(unit.group(1), value);
            } else if (unit.group(2) == null && value.equals(NONE)) {
                removed.add(Integer.parseInt(unit.group(1)));
            } else if (unit.group(2) != null && !attributes.containsKey("lun" + unit.group(1))) {
                if (unit.group(2).equals(READ_ONLY)) {
                    readOnly.put(Integer.parseInt(unit.group(1)), AttributeValue.onOrOff(key, value));
                    return;
                }
                throw unchangeable(device, key);
            } else {
                added.put(key, value);
            }
        });
        List<LunSettings> units = settings(added).units();
        for (Map.Entry<String, String> size : sizes.entrySet()) {
            resize(scsi, Integer.parseInt(size.getKey()), size.getValue(), forced);
        }
        for (Map.Entry<Integer, Boolean> unit : readOnly.entrySet()) {
            scsi.units().readOnly(unit.getKey(), unit.getValue());
        }
        for (int number : removed) {
            var _ = scsi.units().remove(number);
        }
        for (LunSettings unit : units) {
            scsi.units().add(unit);
        }
    }

    /** Units come and go; those that stay have their storage's size. */
    @Override
    public Map<String, String> changed(Map<String, String> attributes, Map<String, String> changes) {
        Map<String, String> all = new LinkedHashMap<>(attributes);
        changes.forEach((key, value) -> {
            if (value.equals(NONE)) {
                all.keySet().removeIf(old -> old.equals(key) || old.startsWith(key + "."));
            } else if (!key.endsWith("." + SIZE)) {
                all.put(key, value);
            }
        });
        return all;
    }

    private static void resize(ScsiDevice scsi, int number, String value, boolean forced) throws IOException {
        String key = "lun%d.%s".formatted(number, SIZE);
        long newBytes = value.equals("storage") ? scsi.units().presentBytes(number) : AttributeValue.bytes(key, value);
        if (newBytes < scsi.units().byteCount(number) && !forced) {
            throw new IllegalArgumentException(
                    "%s: %s: %d bytes are less than the %d that it has: what lies behind them would be cut off; say so by --force"
                            .formatted(scsi.name(), key, newBytes, scsi.units().byteCount(number)));
        }
        scsi.units().resize(number, newBytes);
    }

    @Override
    public Map<String, String> attributesLike(DeviceProfile other) {
        Map<String, String> attributes = RingSettings.like(other);
        int queues = other.queues().size() - ScsiRequest.FIRST_REQUEST_QUEUE;
        attributes.put(QUEUES, Integer.toString(Math.max(1, queues)));
        UnitProfile.of(other.identity())
                .forEach((number, unit) -> unit.ifPresent(like -> {
                    String prefix = "lun%d.".formatted(number);
                    attributes.put(prefix + "block-size", Integer.toString(like.blockBytes()));
                    attributes.put(prefix + "physical-block-size", Integer.toString(like.physicalBlockBytes()));
                    attributes.put(prefix + READ_ONLY, like.readOnly() ? "on" : "off");
                    attributes.put(prefix + "serial", like.serial());
                }));
        return attributes;
    }
}
