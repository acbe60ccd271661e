package io.fairlead.vdpa.preflight;

import static io.fairlead.vdpa.preflight.Verdict.Outcome.OK;
import static io.fairlead.vdpa.preflight.Verdict.Outcome.REFUSED;
import static io.fairlead.vdpa.preflight.Verdict.Outcome.WARNING;
import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.ScsiConfig;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ScsiUnitChecksTest {
    private static final UnitProfile DISK = new UnitProfile(512, 4096, 1 << 20, false, "a, serial b", "vol, x");

    record Case(UnitProfile destination, String field, Verdict.Outcome outcome, String remedy) {}

    private static PreflightTest.Draft host(Map<Integer, UnitProfile> units) {
        PreflightTest.Draft draft = new PreflightTest.Draft(DeviceId.SCSI, Feature.VERSION_1);
        draft.config = new byte[ScsiConfig.BYTES];
        draft.identity.put(UnitProfile.UNITS, Integer.toString(units.size()));
        units.forEach((number, unit) -> unit.into(draft.identity, number));
        return draft;
    }

    private static List<Verdict> compare(PreflightTest.Draft source, PreflightTest.Draft destination) {
        return Preflight.compare(source.profile(), destination.profile());
    }

    static Stream<Case> cases() {
        return Stream.of(
                new Case(
                        with(4096, 4096, 1 << 20, false, "a, serial b", "vol, x"),
                        "lun7 block size",
                        REFUSED,
                        "lun7.block-size=512"),
                new Case(
                        with(512, 512, 1 << 20, false, "a, serial b", "vol, x"),
                        "lun7 physical block size",
                        REFUSED,
                        "lun7.physical-block-size=4096"),
                new Case(
                        with(512, 4096, 1 << 19, false, "a, serial b", "vol, x"),
                        "lun7 capacity",
                        REFUSED,
                        "lun7.size=storage"),
                new Case(with(512, 4096, 1 << 21, false, "a, serial b", "vol, x"), "lun7 capacity", WARNING, ""),
                new Case(
                        with(512, 4096, 1 << 20, true, "a, serial b", "vol, x"),
                        "lun7 access",
                        REFUSED,
                        "lun7.read-only=off"),
                new Case(
                        with(512, 4096, 1 << 20, false, "a", "vol, x"),
                        "lun7 serial",
                        REFUSED,
                        "lun7.serial=a, serial b"),
                new Case(
                        with(512, 4096, 1 << 20, false, "a, serial b", "vol"),
                        "lun7 volume",
                        REFUSED,
                        "the same storage"),
                new Case(with(512, 4096, 1 << 20, false, "a, serial b", ""), "lun7 volume", REFUSED, "lun7.volume=ID"));
    }

    private static UnitProfile with(
            int blockBytes, int physicalBytes, long byteCount, boolean readOnly, String serial, String volume) {
        return new UnitProfile(blockBytes, physicalBytes, byteCount, readOnly, serial, volume);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void oneDifferenceOfAUnitIsJudgedAndNothingElse(Case one) {
        List<Verdict> verdicts = compare(host(Map.of(7, DISK)), host(Map.of(7, one.destination)));
        Verdict verdict = find(verdicts, one.field);
        assertThat(verdict.outcome()).isEqualTo(one.outcome);
        assertThat(verdict.remedy()).contains(one.remedy);
        assertThat(verdicts)
                .filteredOn(other -> !other.equals(verdict))
                .allSatisfy(other -> assertThat(other.outcome()).as("%s", other).isEqualTo(OK));
    }

    private static Verdict find(List<Verdict> verdicts, String field) {
        return verdicts.stream()
                .filter(verdict -> verdict.field().equals(field))
                .reduce((one, another) -> {
                    throw new AssertionError("two verdicts on " + field);
                })
                .orElseThrow(() -> new AssertionError(field + " is not judged: " + verdicts));
    }

    @Test
    void equalUnitsMayMove() {
        Map<Integer, UnitProfile> units = Map.of(0, DISK, 16383, DISK);
        assertThat(compare(host(units), host(units)))
                .allSatisfy(each -> assertThat(each.outcome()).isEqualTo(OK));
        assertThat(UnitProfile.of(host(units).identity).values())
                .allMatch(unit -> unit.orElseThrow().equals(DISK));
        assertThat(compare(host(Map.of()), host(Map.of())))
                .allSatisfy(each -> assertThat(each.outcome()).isEqualTo(OK));
    }

    @Test
    void aMissingUnitIsRefusedAndOneMoreIsTold() {
        List<Verdict> missing = compare(host(Map.of(0, DISK, 7, DISK)), host(Map.of(0, DISK)));
        assertThat(find(missing, "lun7").outcome()).isEqualTo(REFUSED);
        assertThat(find(missing, "lun7").remedy()).contains("lun7=PATH");
        List<Verdict> more = compare(host(Map.of(0, DISK)), host(Map.of(0, DISK, 7, DISK)));
        assertThat(find(more, "lun7").outcome()).isEqualTo(WARNING);
        assertThat(find(more, "lun7").remedy()).contains("lun7=none");
        assertThat(Preflight.isRefused(more)).isFalse();
    }

    @Test
    void aUnitInAnotherFormatIsRefused() {
        PreflightTest.Draft odd = host(Map.of(0, DISK));
        odd.identity.put("lun0", "a new disk");
        assertThat(find(compare(host(Map.of(0, DISK)), odd), "lun0").outcome()).isEqualTo(REFUSED);
        assertThat(find(compare(odd, host(Map.of(0, DISK))), "lun0").outcome()).isEqualTo(REFUSED);
    }

    /** Another daemon's host tells no units: a user has to say what both stand for. */
    @Test
    void aHostThatTellsNoUnitsIsJudgedByItsVolume() {
        PreflightTest.Draft foreign = host(Map.of());
        foreign.identity = new TreeMap<>(Map.of("volume", "v"));
        assertThat(Preflight.isRefused(compare(foreign, foreign))).isFalse();
        assertThat(find(compare(host(Map.of(0, DISK)), foreign), "volume").outcome())
                .isEqualTo(REFUSED);
        PreflightTest.Draft unknown = host(Map.of());
        unknown.identity = new TreeMap<>();
        assertThat(find(compare(unknown, unknown), "volume").outcome()).isEqualTo(REFUSED);
    }
}
