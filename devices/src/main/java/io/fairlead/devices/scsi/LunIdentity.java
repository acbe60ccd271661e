package io.fairlead.devices.scsi;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a logical unit is for other hosts, in one line: the serial number comes last, as it may have any character.
 */
final class LunIdentity {
    private static final Pattern LINE =
            Pattern.compile("block-size (\\d{3,5}), physical-block-size (\\d{3,9}), (read-only|writable), serial (.*)");

    private LunIdentity() {}

    static String of(LogicalUnit unit) {
        return "block-size %d, physical-block-size %d, %s, serial %s"
                .formatted(
                        unit.blockBytes(),
                        unit.storage().physicalBlockBytes(),
                        unit.storage().readOnly() ? "read-only" : "writable",
                        unit.serial());
    }

    /** The attributes that make a unit like another host's; none where that says something else. */
    static Map<String, String> attributes(String line) {
        Map<String, String> attributes = new LinkedHashMap<>();
        Matcher matcher = LINE.matcher(line);
        if (matcher.matches()) {
            attributes.put("block-size", matcher.group(1));
            attributes.put("physical-block-size", matcher.group(2));
            attributes.put("read-only", matcher.group(3).equals("read-only") ? "on" : "off");
            attributes.put("serial", matcher.group(4));
        }
        return attributes;
    }
}
