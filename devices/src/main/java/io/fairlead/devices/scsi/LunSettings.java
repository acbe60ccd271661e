package io.fairlead.devices.scsi;

import io.fairlead.devices.storage.StorageSettings;
import io.fairlead.vdpa.AttributeValue;
import io.fairlead.virtio.ScsiRequest;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;

/**
 * How a logical unit shall be.
 *
 * @param number 0 to {@value ScsiRequest#MAX_LUN}
 * @param chosenSerial its serial number, at most {@value #MAX_SERIAL_CHARACTERS} characters; empty for one of the device's
 *     and its own name
 * @param discard whether the guest may give space back
 */
public record LunSettings(int number, StorageSettings storage, String chosenSerial, boolean discard) {
    static final int MAX_SERIAL_CHARACTERS = 36;

    /** The attributes of a unit, each after {@code lunN.}. */
    public static final String ATTRIBUTES =
            "read-only, direct, locked, discard, serial, block-size, physical-block-size," + " volume, delay-millis";

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public LunSettings {
        if (number < 0 || number > ScsiRequest.MAX_LUN) {
            throw new IllegalArgumentException("lun%d: not in 0..%d".formatted(number, ScsiRequest.MAX_LUN));
        }
        if (chosenSerial.length() > MAX_SERIAL_CHARACTERS
                || chosenSerial.chars().anyMatch(each -> each < ' ' || each > '~')) {
            throw new IllegalArgumentException("lun%d.serial: '%s' is not at most %d printable ASCII characters"
                    .formatted(number, chosenSerial, MAX_SERIAL_CHARACTERS));
        }
    }

    /** A writable, buffered, locked unit. */
    public static LunSettings of(int number, Path path) {
        return new LunSettings(number, new StorageSettings(path, false, false, true, 0, 0, "", 0), "", true);
    }

    /**
     * Reads a unit's attributes.
     *
     * @param path the value of {@code lunN}
     * @param attributes by their names without {@code lunN.}
     * @throws IllegalArgumentException where one is unknown or wrong
     */
    static LunSettings of(int number, String path, Map<String, String> attributes) {
        LunSettings settings;
        try {
            settings = of(number, Path.of(path));
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("lun%d: %s".formatted(number, e.getMessage()), e);
        }
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            settings = settings.with(attribute.getKey(), attribute.getValue());
        }
        return settings;
    }

    private LunSettings with(String key, String value) {
        String name = "lun%d.%s".formatted(number, key);
        try {
            return switch (key) {
                case "serial" -> new LunSettings(number, storage, value, discard);
                case "discard" -> new LunSettings(number, storage, chosenSerial, AttributeValue.onOrOff(name, value));
                default -> new LunSettings(number, storage(key, name, value), chosenSerial, discard);
            };
        } catch (IllegalArgumentException e) {
            String message = String.valueOf(e.getMessage());
            throw message.startsWith("lun")
                    ? e
                    : new IllegalArgumentException("lun%d.%s".formatted(number, message), e);
        }
    }

    private StorageSettings storage(String key, String name, String value) {
        StorageSettings s = storage;
        boolean readOnly = key.equals("read-only") ? AttributeValue.onOrOff(name, value) : s.readOnly();
        boolean direct = key.equals("direct") ? AttributeValue.onOrOff(name, value) : s.direct();
        boolean locked = key.equals("locked") ? AttributeValue.onOrOff(name, value) : s.locked();
        int block = key.equals("block-size") ? AttributeValue.number(name, value) : s.blockSizeBytes();
        int physical =
                key.equals("physical-block-size") ? AttributeValue.number(name, value) : s.physicalBlockSizeBytes();
        String volume = key.equals("volume") ? value : s.volume();
        int delay = key.equals("delay-millis") ? AttributeValue.number(name, value) : s.delayMillis();
        switch (key) {
            case "read-only", "direct", "locked", "block-size", "physical-block-size", "volume", "delay-millis" -> {}
            default ->
                throw new IllegalArgumentException(
                        "%s: a logical unit has no such attribute; it has: %s".formatted(name, ATTRIBUTES));
        }
        return new StorageSettings(s.path(), readOnly, direct, locked, block, physical, volume, delay);
    }

    /** What initiators know the unit by, the same on every host that serves it by the same device's name. */
    String serial(String deviceName) {
        if (!chosenSerial.isEmpty()) {
            return chosenSerial;
        }
        String end = "-lun" + number;
        String begin = deviceName.replaceAll("[^!-~]", "_");
        return begin.substring(0, Math.min(begin.length(), MAX_SERIAL_CHARACTERS - end.length())) + end;
    }
}
