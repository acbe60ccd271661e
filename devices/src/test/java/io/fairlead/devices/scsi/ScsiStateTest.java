package io.fairlead.devices.scsi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a SCSI host keeps, taken of one and given to another. */
class ScsiStateTest {
    private static final String READY = "00 00 00 00 00 00";

    @TempDir
    Path folder;

    private final EventLoopGroup loops = new EventLoopGroup(1);
    private Map<String, String> attributes;
    private ScsiDevice source;
    private Octets state;

    ScsiStateTest() throws IOException {}

    /** A source with a reservation, a switched off cache, and an attention that was not told. */
    @BeforeEach
    void takeState() throws IOException {
        Path a = Files.write(folder.resolve("a.img"), new byte[8192]);
        Path b = Files.write(folder.resolve("b.img"), new byte[8192]);
        attributes = Map.of(
                "lun0", a.toString(),
                "lun0.locked", "off",
                "lun0.volume", "vol-a",
                "lun1", b.toString(),
                "lun1.locked", "off",
                "lun1.read-only", "on",
                "lun1.volume", "vol-b");
        source = ScsiDevice.create("s0", ScsiType.settings(attributes), loops);
        try (Guest guest = new Guest(source, Initiator.memoryBytes(3), 64, 0)) {
            guest.start(source.deviceFeatures());
            Initiator initiator = new Initiator(guest);
            initiator.clearAttentions(0);
            byte[] parameters = ByteBuffer.allocate(24).putLong(8, 0xabc).array();
            initiator.out(0, "5f 00 00 00 00 00000018 00", parameters).isGood();
            byte[] key = ByteBuffer.allocate(24).putLong(0, 0xabc).array();
            initiator.out(0, "5f 01 03 00 00 00000018 00", key).isGood();
            byte[] off = new byte[24];
            off[4] = 8;
            off[5] = 18;
            initiator.out(0, "15 10 00 00 18 00", off).isGood();
            source.suspend();
            state = source.typeState();
        }
    }

    @AfterEach
    void close() throws IOException {
        source.close();
        loops.close();
    }

    private ScsiDevice other(Map<String, String> changed) throws IOException {
        Map<String, String> all = new HashMap<>(attributes);
        changed.forEach((key, value) -> {
            if (value.isEmpty()) {
                all.remove(key);
            } else {
                all.put(key, value);
            }
        });
        return ScsiDevice.create("s0", ScsiType.settings(all), loops);
    }

    @Test
    void goesOnAsItWas() throws IOException {
        try (ScsiDevice other = other(Map.of());
                Guest guest = new Guest(other, Initiator.memoryBytes(3), 64, 0)) {
            other.typeState(state);
            assertThat(other.typeState()).isEqualTo(state);
            guest.start(other.deviceFeatures());
            Initiator initiator = new Initiator(guest);
            initiator.call(0, READY).isGood();
            initiator.call(1, READY).fails(Sense.POWER_ON);
            assertThat(initiator.in(0, "5e 01 00000000 00 0100 00", 256).data())
                    .isEqualTo(ByteBuffer.allocate(24)
                            .putInt(1)
                            .putInt(16)
                            .putLong(0xabc)
                            .putInt(0)
                            .putShort((short) 3)
                            .array());
            assertThat(initiator.in(0, "1a 08 08 00 ff 00", 255).data()[6]).isZero();
        }
        try (ScsiDevice other = other(Map.of())) {
            other.typeState(state);
            other.typeState(Octets.EMPTY);
            assertThat(other.typeState()).as("undone").isNotEqualTo(state);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "lun1.read-only, off, is not read-only",
        "lun0.volume, vol-x, stands for vol-x",
        "lun0.serial, X, serial number X",
        "lun0.block-size, 4096, blocks of 4096",
    })
    void refusesAnotherUnit(String key, String value, String hint) throws IOException {
        assertRefused(Map.of(key, value), hint);
    }

    @Test
    void refusesMissingAndSmallerUnits() throws IOException {
        assertRefused(
                Map.of("lun1", "", "lun1.locked", "", "lun1.read-only", "", "lun1.volume", ""), "give it lun1=PATH");
        Path small = Files.write(folder.resolve("small.img"), new byte[4096]);
        assertRefused(Map.of("lun0", small.toString()), "4096 bytes, fewer than 8192");
    }

    private void assertRefused(Map<String, String> changed, String hint) throws IOException {
        try (ScsiDevice other = other(changed)) {
            Octets before = other.typeState();
            assertThatThrownBy(() -> other.typeState(state))
                    .isInstanceOf(StateMismatchException.class)
                    .hasMessageContaining(hint);
            assertThat(other.typeState()).isEqualTo(before);
        }
    }

    @Test
    void moreAndLargerUnitsAreTold() throws IOException {
        Path large = Files.write(folder.resolve("large.img"), new byte[16384]);
        Map<String, String> more = Map.of("lun0", large.toString(), "lun2", large.toString(), "lun2.locked", "off");
        try (ScsiDevice other = other(more);
                Guest guest = new Guest(other, Initiator.memoryBytes(3), 64, 0)) {
            other.typeState(state);
            guest.start(other.deviceFeatures());
            Initiator initiator = new Initiator(guest);
            initiator.call(0, READY).fails(Sense.CAPACITY_CHANGED);
            initiator.call(0, READY).fails(Sense.UNITS_CHANGED);
            initiator.call(0, READY).isGood();
        }
    }

    // ---- changes of the source while the machine moves ----

    private Octets changedState(Map<String, String> changes) throws IOException {
        new ScsiType().change(source, changes, false);
        return source.typeState();
    }

    @Test
    void followsGrowthAndReadOnly() throws IOException {
        try (ScsiDevice other = other(Map.of())) {
            Octets changed = changedState(Map.of("lun0.size", "16384", "lun0.read-only", "on"));
            assertThatThrownBy(() -> other.typeState(changed)).hasMessageContaining("fewer than 16384");
            other.followTypeState(changed);
            assertThat(other.units().byteCount(0)).isEqualTo(16384);
            other.typeState(changed);
            assertThat(other.typeState())
                    .as("with what its driver was not told")
                    .isEqualTo(changed);
            assertThat(other.identity()).isEqualTo(source.identity());
            Octets back = changedState(Map.of("lun0.read-only", "off"));
            other.followTypeState(back);
            other.typeState(back);
            assertThat(other.identity()).isEqualTo(source.identity());
        }
    }

    @Test
    void followsAUnitThatWentAndNoOtherStorage() throws Exception {
        Path more = Files.write(folder.resolve("more.img"), new byte[4096]);
        Map<String, String> another = Map.of("lun0.volume", "vol-z", "lun4", more.toString());
        try (ScsiDevice other = other(another)) {
            Octets changed = changedState(Map.of("lun1", "none", "lun0.size", "16384"));
            other.followTypeState(changed);
            assertThat(other.units().numbers()).as("what only it has stays").containsExactly(0, 4);
            assertThat(other.units().byteCount(0)).as("other storage").isEqualTo(8192);
            assertThatThrownBy(() -> other.typeState(changed)).hasMessageContaining("stands for vol-z");
            Octets again = changedState(
                    Map.of("lun1", folder.resolve("b.img").toString(), "lun1.locked", "off", "lun1.volume", "vol-b"));
            assertThatThrownBy(() -> other.typeState(again)).isInstanceOf(StateMismatchException.class);
        }
        try (ScsiDevice other = other(Map.of("lun1.read-only", "off"))) {
            other.followTypeState(changedState(Map.of("lun1.read-only", "on")));
            assertThat(other.units().numbers()).as("it went and came again").containsExactly(0, 1);
            assertThat(other.identity()).isEqualTo(source.identity());
        }
    }

    @Test
    void whatWasOpenedForReadingStaysReadOnly() {
        assertThatThrownBy(() -> changedState(Map.of("lun1.read-only", "off")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("lun1.read-only=off");
    }

    /** Changed bytes are refused, or are another state that could be. */
    @Test
    void malformedStatesChangeNothing() throws IOException {
        Random random = new Random(4);
        byte[] good = state.toArray();
        int refused = 0;
        try (ScsiDevice other = other(Map.of())) {
            for (int i = 0; i < 5000; i++) {
                byte[] bytes =
                        Arrays.copyOf(good, random.nextInt(4) == 0 ? random.nextInt(good.length + 8) : good.length);
                for (int j = random.nextInt(4); j >= 0 && bytes.length > 0; j--) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
                }
                Octets before = other.typeState();
                try {
                    other.typeState(Octets.of(bytes));
                } catch (StateMismatchException e) {
                    refused++;
                    assertThat(other.typeState()).isEqualTo(before);
                }
            }
        }
        assertThat(refused).isGreaterThan(1000);
    }
}
