package io.fairlead.daemon.device;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.devices.error.ErrorDevice;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Preflight;
import io.fairlead.vdpa.preflight.Verdict;
import io.fairlead.vdpa.relay.Substitute;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What goes on where a device of the kernel's is taken away under a machine: a user says it by {@code fallback}, and what the
 * software device then has by attributes that begin with {@code fallback-}.
 *
 * @param kind what takes the device's place
 * @param software the software device's attributes, by their own names
 * @param device all other attributes
 */
record Fallback(Kind kind, Map<String, String> software, Map<String, String> device) {
    private static final String KIND = "fallback";
    private static final String PREFIX = "fallback-";

    /** What a device stands for, where its user says it. */
    private static final String VOLUME = "volume";

    /** What takes the device's place. */
    enum Kind {
        /** Nothing: the device sets NEEDS_RESET, and requests wait. */
        NONE,
        /** Requests get errors. */
        ERRORS,
        /** A software device goes on. */
        SOFTWARE
    }

    /** @throws IllegalArgumentException where an attribute is wrong: says which, and what is allowed */
    static Fallback of(Map<String, String> attributes) {
        Map<String, String> software = new LinkedHashMap<>();
        Map<String, String> device = new LinkedHashMap<>();
        attributes.forEach((key, value) -> {
            if (key.startsWith(PREFIX)) {
                software.put(key.substring(PREFIX.length()), value);
            } else if (!key.equals(KIND)) {
                device.put(key, value);
            }
        });
        Kind kind = kind(attributes.get(KIND), software.isEmpty());
        if (kind != Kind.SOFTWARE && !software.isEmpty()) {
            throw new IllegalArgumentException("%s%s: it is for fallback=software"
                    .formatted(PREFIX, software.keySet().iterator().next()));
        }
        return new Fallback(kind, software, device);
    }

    private static Kind kind(@Nullable String value, boolean isPlain) {
        if (value == null) {
            return isPlain ? Kind.ERRORS : Kind.SOFTWARE;
        }
        return switch (value.toLowerCase(Locale.ROOT)) {
            case "none" -> Kind.NONE;
            case "errors" -> Kind.ERRORS;
            case "software" -> Kind.SOFTWARE;
            default -> throw new IllegalArgumentException("fallback: errors, software or none, not " + value);
        };
    }

    /**
     * What takes a device's place, null for nothing. A software device is made once and compared, so that what does not fit
     * shows before it is needed.
     *
     * @throws IllegalArgumentException where the software device would not fit
     */
    @Nullable
    Substitute substitute(VdpaDevice of, SoftwareManagement management, EventLoopGroup loops) throws IOException {
        return switch (kind) {
            case NONE -> null;
            case ERRORS -> new Errors(ErrorDevice.features(of), loops);
            case SOFTWARE -> {
                try (VdpaDevice sample = make(of, management)) {
                    requireFit(of, sample);
                    yield new Software(this, sample.deviceFeatures(), management);
                }
            }
        };
    }

    private record Errors(long features, EventLoopGroup loops) implements Substitute {
        @Override
        public VdpaDevice make(VdpaDevice gone) throws IOException {
            return ErrorDevice.inPlaceOf(gone, loops);
        }
    }

    private record Software(Fallback fallback, long features, SoftwareManagement management) implements Substitute {
        @Override
        public VdpaDevice make(VdpaDevice gone) throws IOException {
            return fallback.make(gone, management);
        }
    }

    /** As the device is, but for what the user says of it. */
    private VdpaDevice make(VdpaDevice of, SoftwareManagement management) throws IOException {
        Map<String, String> attributes = new LinkedHashMap<>(management.attributesLike(DeviceProfile.of(of)));
        if (device.containsKey(VOLUME)) {
            attributes.put(VOLUME, device.get(VOLUME));
        }
        attributes.putAll(software);
        return management.add(of.name() + " (software)", of.deviceId(), attributes);
    }

    private static void requireFit(VdpaDevice of, VdpaDevice sample) throws IOException {
        List<Verdict> verdicts = Preflight.compare(DeviceProfile.of(of), DeviceProfile.of(sample));
        String misfits = verdicts.stream()
                .filter(verdict -> verdict.outcome() == Verdict.Outcome.REFUSED)
                .map(verdict -> "%s: %s, the software device %s: %s. %s"
                        .formatted(
                                verdict.field(),
                                verdict.sourceValue(),
                                verdict.destinationValue(),
                                verdict.reason(),
                                verdict.remedy())
                        .strip())
                .collect(Collectors.joining("; "));
        if (!misfits.isEmpty()) {
            throw new IllegalArgumentException(
                    "fallback: %s cannot go on as software: %s".formatted(of.name(), misfits));
        }
    }
}
