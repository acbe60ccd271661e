package io.fairlead.vdpa.preflight;

import io.fairlead.vdpa.preflight.Verdict.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The logical units of two SCSI hosts that both tell theirs: each of the source's has to be there. */
final class ScsiUnitChecks {
    private final List<Verdict> verdicts = new ArrayList<>();

    private ScsiUnitChecks() {}

    static boolean apply(DeviceProfile source, DeviceProfile destination) {
        return !source.identity(UnitProfile.UNITS).isEmpty()
                && !destination.identity(UnitProfile.UNITS).isEmpty();
    }

    static List<Verdict> compare(DeviceProfile source, DeviceProfile destination) {
        ScsiUnitChecks checks = new ScsiUnitChecks();
        Map<Integer, Optional<UnitProfile>> there = UnitProfile.of(destination.identity());
        UnitProfile.of(source.identity()).forEach((number, unit) -> {
            Optional<UnitProfile> other = there.remove(number);
            checks.unit(number, unit, other == null ? Optional.empty() : other, other != null);
        });
        there.keySet()
                .forEach(number -> checks.add(
                        "lun" + number,
                        Outcome.WARNING,
                        "none",
                        "there",
                        "the destination has it and the source does not: the guest is told and finds it",
                        "take it away at the destination (fairlead dev set NAME lun%d=none) where it shall not"
                                .formatted(number)));
        return List.copyOf(checks.verdicts);
    }

    private void unit(int number, Optional<UnitProfile> source, Optional<UnitProfile> destination, boolean isThere) {
        String name = "lun" + number;
        if (!isThere) {
            add(
                    name,
                    Outcome.REFUSED,
                    "there",
                    "none",
                    "the driver uses it, and the destination does not have it",
                    "add it at the destination (fairlead dev set NAME lun%d=PATH)".formatted(number));
        } else if (source.isEmpty() || destination.isEmpty()) {
            add(
                    name,
                    Outcome.REFUSED,
                    source.isEmpty() ? "unknown" : "there",
                    destination.isEmpty() ? "unknown" : "there",
                    "what it is cannot be read: the other side is of another version",
                    "use the same version on both hosts");
        } else {
            unit(name, source.get(), destination.get());
        }
    }

    private void unit(String name, UnitProfile a, UnitProfile b) {
        volume(name, a.volume(), b.volume());
        equal(name, "block-size", a.blockBytes(), b.blockBytes());
        equal(name, "physical-block-size", a.physicalBlockBytes(), b.physicalBlockBytes());
        equal(name, "serial", a.serial(), b.serial());
        capacity(name, a.byteCount(), b.byteCount());
        boolean equal = a.readOnly() == b.readOnly();
        add(
                name + " access",
                equal ? Outcome.OK : Outcome.REFUSED,
                a.access(),
                b.access(),
                equal ? "equal" : "the driver relies on the source's",
                equal
                        ? ""
                        : "make it so at the destination (%s.read-only=%s)"
                                .formatted(name, a.readOnly() ? "on" : "off"));
    }

    private void volume(String name, String a, String b) {
        boolean unknown = a.isEmpty() || b.isEmpty();
        String who = !a.isEmpty() ? "the destination does" : b.isEmpty() ? "both sides do" : "the source does";
        boolean ok = !unknown && a.equals(b);
        add(
                name + " volume",
                ok ? Outcome.OK : Outcome.REFUSED,
                unknown && a.isEmpty() ? "unknown" : a,
                unknown && b.isEmpty() ? "unknown" : b,
                ok ? "equal" : unknown ? who + " not know what storage it is" : "it is other storage",
                ok
                        ? ""
                        : unknown
                                ? "say what it is: %s.volume=ID, the same at both sides".formatted(name)
                                : "serve the same storage as %s at the destination".formatted(name));
    }

    private void equal(String name, String what, Object a, Object b) {
        boolean equal = a.equals(b);
        add(
                name + " " + what.replace('-', ' '),
                equal ? Outcome.OK : Outcome.REFUSED,
                a.toString(),
                b.toString(),
                equal ? "equal" : "the driver relies on the source's and it has to be equal",
                equal ? "" : "start the destination with %s.%s=%s".formatted(name, what, a));
    }

    private void capacity(String name, long a, long b) {
        Outcome outcome = b < a ? Outcome.REFUSED : b > a ? Outcome.WARNING : Outcome.OK;
        add(
                name + " capacity",
                outcome,
                Long.toString(a),
                Long.toString(b),
                switch (outcome) {
                    case REFUSED -> "the driver uses all that the source has, and the destination has less";
                    case WARNING -> "larger: an event follows and the guest sees the new size";
                    case OK -> "equal";
                },
                outcome == Outcome.REFUSED
                        ? "grow the destination's to this size (fairlead dev set NAME %s.size=storage)".formatted(name)
                        : "");
    }

    private void add(String field, Outcome outcome, String a, String b, String reason, String remedy) {
        verdicts.add(new Verdict(field, outcome, a, b, reason, remedy));
    }
}
