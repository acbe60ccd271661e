package io.fairlead.devices.scsi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Preflight;
import io.fairlead.vdpa.preflight.Verdict;
import io.fairlead.vdpa.state.DeviceRestore;
import io.fairlead.vdpa.state.DeviceSnapshot;
import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.virtio.Feature;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScsiTypeTest {
    private static final ScsiType TYPE = new ScsiType();

    @Test
    void readsItsAttributes() {
        ScsiSettings settings = ScsiType.settings(Map.of(
                "lun0", "/a",
                "lun12", "/b",
                "lun12.read-only", "on",
                "lun12.serial", "S",
                "lun12.discard", "off",
                "lun12.block-size", "4096",
                "queues", "4",
                "queue-size", "128",
                "features", "0x100000000"));
        assertThat(settings.rings()).isEqualTo(new RingSettings(128, Feature.VERSION_1));
        assertThat(settings.requestQueues()).isEqualTo(4);
        assertThat(settings.units()).hasSize(2);
        assertThat(settings.units().getFirst()).isEqualTo(LunSettings.of(0, Path.of("/a")));
        LunSettings second = settings.units().getLast();
        assertThat(second.number()).isEqualTo(12);
        assertThat(second.chosenSerial()).isEqualTo("S");
        assertThat(second.discard()).isFalse();
        assertThat(second.storage().readOnly()).isTrue();
        assertThat(second.storage().blockSizeBytes()).isEqualTo(4096);
    }

    @ParameterizedTest
    @CsvSource({
        "colour, red, 'it has: lunN'",
        "lun0.colour, red, 'it has: read-only'",
        "lun0.read-only, yes, neither on nor off",
        "lun0.block-size, 513, lun0.block-size",
        "lun0.delay-millis, 60001, 0..60000",
        "lun0.serial, 1234567890123456789012345678901234567, 36",
        "lun1.serial, x, lun1=PATH",
        "lun16384, /b, 0..16383",
        "lun01, /b, no such attribute",
        "queues, 65, 1..64",
        "queue-size, 100, power of two",
    })
    void saysWhatIsWrong(String key, String value, String hint) {
        assertThatThrownBy(() -> ScsiType.settings(Map.of("lun0", "/a", key, value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(hint);
    }

    @Test
    void aUnitThatCannotBeOpenedIsNamed(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("a.img"), new byte[4096]);
        try (EventLoopGroup loops = new EventLoopGroup(1)) {
            Map<String, String> attributes = Map.of(
                    "lun0", image.toString(), "lun3", folder.resolve("none").toString());
            assertThatThrownBy(() -> TYPE.create("s0", attributes, loops))
                    .hasMessageContaining("lun3")
                    .hasMessageContaining("none");
            // The lock of the one that was open is gone.
            TYPE.create("s0", Map.of("lun0", image.toString()), loops).close();
        }
    }

    @Test
    void makesOneLikeAnother(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("a.img"), new byte[1 << 16]);
        Map<String, String> paths =
                Map.of("lun0", image.toString(), "lun0.locked", "off", "lun5", image.toString(), "lun5.locked", "off");
        Map<String, String> first = new HashMap<>(paths);
        first.putAll(Map.of(
                "lun0.serial",
                "a, b",
                "lun0.read-only",
                "on",
                "lun5.block-size",
                "1024",
                "lun0.physical-block-size",
                "8192",
                "queues",
                "3",
                "queue-size",
                "32",
                "features",
                "0x100000005"));
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice one = TYPE.create("one", first, loops)) {
            DeviceProfile wanted = DeviceProfile.of(one);
            Map<String, String> second = new HashMap<>(TYPE.attributesLike(wanted));
            second.putAll(paths);
            try (VdpaDevice two = TYPE.create("two", second, loops)) {
                assertThat(two.identity()).isEqualTo(one.identity());
                assertThat(Preflight.compare(wanted, DeviceProfile.of(two)))
                        .allMatch(verdict -> verdict.outcome() == Verdict.Outcome.OK);
            }
            try (VdpaDevice less = TYPE.create("less", Map.of("lun0", image.toString(), "lun0.locked", "off"), loops)) {
                assertThat(Preflight.compare(wanted, DeviceProfile.of(less)))
                        .anyMatch(verdict -> verdict.outcome() == Verdict.Outcome.REFUSED);
            }
        }
    }

    @Test
    void aHostWithAllTheUnitsThatItMayHaveCanMove(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("a.img"), new byte[4096]);
        Map<String, String> attributes = new HashMap<>();
        for (int number = 0; number < UnitCommands.MAX_UNITS; number++) {
            attributes.put("lun" + number, image.toString());
            attributes.put("lun%d.locked".formatted(number), "off");
        }
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice device = TYPE.create("s0", attributes, loops)) {
            DeviceState state = DeviceState.decode(
                    DeviceSnapshot.take(device, new UUID(1, 2), 0, true).encode());
            DeviceRestore.validate(state, device);
            assertThat(state.identity()).hasSize(2 * UnitCommands.MAX_UNITS + 2);
        }
    }

    @Test
    void changesUnitsOnline(@TempDir Path folder) throws Exception {
        Path a = Files.write(folder.resolve("a.img"), new byte[8192]);
        Path b = Files.write(folder.resolve("b.img"), new byte[8192]);
        try (EventLoopGroup loops = new EventLoopGroup(1);
                ScsiDevice device = (ScsiDevice) TYPE.create("s0", Map.of("lun0", a.toString()), loops)) {
            TYPE.change(device, Map.of("lun7", b.toString(), "lun7.read-only", "on", "lun0.size", "16384"), false);
            assertThat(device.units().numbers()).containsExactly(0, 7);
            assertThat(device.units().byteCount(0)).isEqualTo(16384);
            assertThatThrownBy(() -> TYPE.change(device, Map.of("lun0.size", "8192"), false))
                    .hasMessageContaining("--force");
            TYPE.change(device, Map.of("lun0.size", "8192"), true);
            TYPE.change(device, Map.of("lun0.size", "storage"), false);
            assertThat(device.units().byteCount(0)).isEqualTo(16384);
            TYPE.change(device, Map.of("lun7", "none"), false);
            assertThat(device.units().numbers()).containsExactly(0);
            for (String key : new String[] {"queues", "lun0.serial"}) {
                assertThatThrownBy(() -> TYPE.change(device, Map.of(key, "1"), false))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContainingAll(key, "lunN.size");
            }
            assertThatThrownBy(() -> TYPE.change(device, Map.of("lun7", "none"), false))
                    .hasMessageContaining("no lun7");
        }
    }

    @Test
    void unitsThatCameAndWentAreRemembered() {
        Map<String, String> made = Map.of("lun0", "/a", "lun1", "/b", "lun1.serial", "B", "lun10", "/c");
        assertThat(new ScsiType()
                        .changed(made, Map.of("lun0.size", "2G", "lun1", "none", "lun2", "/d", "lun0.read-only", "on")))
                .isEqualTo(Map.of("lun0", "/a", "lun10", "/c", "lun2", "/d", "lun0.read-only", "on"));
    }
}
