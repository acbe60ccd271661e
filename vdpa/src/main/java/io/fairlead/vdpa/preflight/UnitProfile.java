package io.fairlead.vdpa.preflight;

import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a logical unit of a SCSI host is for other hosts. In a device's identity it is the line {@code lunN} and the text
 * {@code lunN.volume}, beside {@value #UNITS}, how many there are.
 *
 * @param blockBytes of a logical block
 * @param physicalBlockBytes that the storage best writes at once
 * @param byteCount capacity
 * @param readOnly whether the driver may not write now
 * @param serial printable ASCII
 * @param volume what storage it is; empty where that is unknown
 */
public record UnitProfile(
        int blockBytes, int physicalBlockBytes, long byteCount, boolean readOnly, String serial, String volume) {
    /** The key of the identity that says how many units there are. */
    public static final String UNITS = "units";

    private static final Pattern KEY = Pattern.compile("lun(0|[1-9]\\d{0,4})(\\.volume)?");
    private static final Pattern LINE = Pattern.compile("block-size (\\d{1,9}), physical-block-size (\\d{1,9}),"
            + " bytes (\\d{1,18}), (read-only|writable), serial (.*)");

    /** Adds it to an identity. */
    public void into(Map<String, String> identity, int number) {
        identity.put(
                "lun" + number,
                "block-size %d, physical-block-size %d, bytes %d, %s, serial %s"
                        .formatted(blockBytes, physicalBlockBytes, byteCount, access(), serial));
        identity.put("lun%d.volume".formatted(number), volume);
    }

    /** As a user says it. */
    String access() {
        return readOnly ? "read-only" : "writable";
    }

    /** Whether an identity has a key for these. */
    static boolean isKey(String key) {
        return key.equals(UNITS) || KEY.matcher(key).matches();
    }

    /** The units that an identity tells, by their numbers; one that it tells in another way is empty. */
    public static SortedMap<Integer, Optional<UnitProfile>> of(Map<String, String> identity) {
        SortedMap<Integer, Optional<UnitProfile>> units = new TreeMap<>(Comparator.naturalOrder());
        identity.forEach((key, line) -> {
            Matcher matcher = KEY.matcher(key);
            if (matcher.matches() && matcher.group(2) == null) {
                units.put(Integer.parseInt(matcher.group(1)), parse(line, identity.getOrDefault(key + ".volume", "")));
            }
        });
        return units;
    }

    private static Optional<UnitProfile> parse(String line, String volume) {
        Matcher matcher = LINE.matcher(line);
        return !matcher.matches()
                ? Optional.empty()
                : Optional.of(new UnitProfile(
                        Integer.parseInt(matcher.group(1)),
                        Integer.parseInt(matcher.group(2)),
                        Long.parseLong(matcher.group(3)),
                        matcher.group(4).equals("read-only"),
                        matcher.group(5),
                        volume));
    }
}
