package io.fairlead.vdpa.preflight;

import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.parts.Octets;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

/**
 * What has to hold for a field of the configuration space, which the driver has read at the source and relies on.
 *
 * @param remedy for a user, where it does not hold
 */
record FieldRule(ConfigField field, Relation relation, String remedy) {
    /** How the destination's value has to stand to the source's. */
    enum Relation {
        EQUAL,
        /** A limit that the driver keeps to. */
        AT_LEAST,
        /** The same, where 0 says that there is no limit. */
        AT_LEAST_OR_NONE,
        /** A hint, which may differ. */
        HINT,
        /** A size that may grow, of which the driver is then told. */
        MAY_GROW
    }

    /** Empty where the field does not exist at the source, and so the driver does not know it. */
    Optional<Verdict> check(DeviceProfile source, DeviceProfile destination) {
        long features = source.driverFeatures() != 0 ? source.driverFeatures() : source.deviceFeatures();
        if (!field.exists(features) || field.end() > source.config().size()) {
            return Optional.empty();
        }
        String sourceValue = show(source.config());
        if (field.end() > destination.config().size()) {
            return Optional.of(new Verdict(
                    field.name(),
                    relation == Relation.HINT ? Verdict.Outcome.WARNING : Verdict.Outcome.REFUSED,
                    sourceValue,
                    "none",
                    "the destination's configuration space of %d bytes does not have it"
                            .formatted(destination.config().size()),
                    remedy));
        }
        String destinationValue = show(destination.config());
        int order = compare(source.config(), destination.config());
        if (order == 0) {
            return Optional.of(
                    new Verdict(field.name(), Verdict.Outcome.OK, sourceValue, destinationValue, "equal", ""));
        }
        return Optional.of(
                switch (relation) {
                    case EQUAL ->
                        new Verdict(
                                field.name(),
                                Verdict.Outcome.REFUSED,
                                sourceValue,
                                destinationValue,
                                "the driver relies on the source's value and it has to be equal",
                                remedy);
                    case HINT ->
                        new Verdict(
                                field.name(),
                                Verdict.Outcome.WARNING,
                                sourceValue,
                                destinationValue,
                                "the driver goes on with the source's value, which is a hint and may be slower",
                                remedy);
                    case AT_LEAST, AT_LEAST_OR_NONE, MAY_GROW -> bound(sourceValue, destinationValue, order);
                });
    }

    private Verdict bound(String sourceValue, String destinationValue, int order) {
        if (order < 0) {
            return new Verdict(
                    field.name(),
                    Verdict.Outcome.REFUSED,
                    sourceValue,
                    destinationValue,
                    "the driver uses all that the source has, and the destination has less",
                    remedy);
        }
        return relation == Relation.MAY_GROW
                ? new Verdict(
                        field.name(),
                        Verdict.Outcome.WARNING,
                        sourceValue,
                        destinationValue,
                        "larger: a configuration interrupt follows and the guest sees the new size",
                        "")
                : new Verdict(
                        field.name(), Verdict.Outcome.OK, sourceValue, destinationValue, "the limit is higher", "");
    }

    private boolean isNumber() {
        return switch (field.byteCount()) {
            case 1, 2, 4, 8 -> true;
            default -> false;
        };
    }

    private static MemorySegment segment(Octets config) {
        return MemorySegment.ofArray(config.toArray());
    }

    private byte[] bytes(Octets config) {
        return Arrays.copyOfRange(config.toArray(), field.offset(), field.end());
    }

    /** Below 0 where the destination's is smaller; arrays are equal or not. */
    private int compare(Octets source, Octets destination) {
        if (isNumber()) {
            // As if no limit were the highest one.
            long less = relation == Relation.AT_LEAST_OR_NONE ? 1 : 0;
            return Long.compareUnsigned(field.read(segment(destination)) - less, field.read(segment(source)) - less);
        }
        return Arrays.equals(bytes(source), bytes(destination)) ? 0 : -1;
    }

    private String show(Octets config) {
        if (isNumber()) {
            return Long.toUnsignedString(field.read(segment(config)));
        }
        byte[] bytes = bytes(config);
        if (field.byteCount() == 6) {
            return HexFormat.ofDelimiter(":").formatHex(bytes);
        }
        int end = 0;
        while (end < bytes.length && bytes[end] > ' ' && bytes[end] < 0x7f) {
            end++;
        }
        boolean text = true;
        for (int i = end; i < bytes.length; i++) {
            text &= bytes[i] == 0;
        }
        return text && end > 0
                ? new String(bytes, 0, end, StandardCharsets.US_ASCII)
                : HexFormat.of().formatHex(bytes);
    }
}
