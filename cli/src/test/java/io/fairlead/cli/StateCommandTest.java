package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.state.DeviceSnapshot;
import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.vdpa.state.Section;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class StateCommandTest {
    @TempDir
    private Path folder;

    private Path packed;
    private Path split;
    private Path net;

    @BeforeEach
    void files() throws IOException {
        packed = file("blk-packed-inflight.vdps");
        split = file("blk-split-inflight.vdps");
        net = file("net-with-unknown-section.vdps");
    }

    private Path file(String name) throws IOException {
        try (InputStream in = StateCommandTest.class.getResourceAsStream(name)) {
            return Files.write(folder.resolve(name), in.readAllBytes());
        }
    }

    private static CommandResult run(Object... arguments) {
        return CommandResult.run(Arrays.stream(arguments).map(Object::toString).toArray(String[]::new));
    }

    @Test
    void showTellsWhatIsInAState() {
        CommandResult text = run("state", "show", packed);
        assertThat(text.exitCode()).as(text.err()).isZero();
        assertThat(text.out())
                .containsPattern("kind +final")
                .contains("RING_PACKED", "capacity", "131072", "volume-1", "DRIVER_OK", "FREEZE")
                .contains("available 2 wrap 0, used 126 wrap 1")
                .contains("buffer 9: 0x10000+16 0x20000+4096w 0x30000+1w", "buffer 3: 0x40000+48i");
        assertThat(run("state", "show", net).out()).contains("28673", "010203", "dead", "controlQueue");
    }

    @Test
    void showAsJsonHasTheSame() {
        JsonNode state =
                new JsonMapper().readTree(run("state", "show", "--json", split).out());
        assertThat(state.get("epoch").asInt()).isEqualTo(1);
        assertThat(state.get("queues").get(0).get("used").asString()).isEqualTo("65534");
        assertThat(state.get("queues").get(0).get("inflight").size()).isEqualTo(3);
        assertThat(state.get("config").get("blk_size").asInt()).isEqualTo(512);
        assertThat(state.get("config").get("writtenByDriver").get(0).asString()).isEqualTo("wce");
        assertThat(state.get("statistics").get(1).get("requests").asInt()).isEqualTo(1001);
    }

    @Test
    void diffTellsWhatDiffersAndExitsWithOne() throws Exception {
        CommandResult same = run("state", "diff", split, split);
        assertThat(same.exitCode()).isZero();
        assertThat(same.out()).isEmpty();
        CommandResult different = run("state", "diff", split, packed);
        assertThat(different.exitCode()).isEqualTo(1);
        assertThat(different.out())
                .contains("queues[0].used: 65534 -> 126 wrap 1")
                .contains("queues[1].available: 77 -> 0 wrap 1")
                .doesNotContain("uuid");
        JsonNode json = new JsonMapper()
                .readTree(run("state", "diff", "--json", split, packed).out());
        assertThat(json.valueStream().map(node -> node.get("path").asString()))
                .contains("queues[0].used", "driver.features");
        // Beyond what is printed of a vendor's bytes.
        byte[] bytes = new byte[100];
        DeviceState state = DeviceState.decode(Files.readAllBytes(split));
        Path first = write("first", state.with(new Section.Vendor("v", "1", Octets.of(bytes))));
        bytes[99] = 1;
        Path second = write("second", state.with(new Section.Vendor("v", "1", Octets.of(bytes))));
        CommandResult hidden = run("state", "diff", first, second);
        assertThat(hidden.exitCode()).isEqualTo(1);
        assertThat(hidden.out()).contains("bytes that are not shown");
    }

    private Path write(String name, DeviceState state) throws IOException {
        return Files.write(folder.resolve(name), state.encode());
    }

    @Test
    void verifySaysWhatIsWrongAndWhere() throws Exception {
        CommandResult sound = run("state", "verify", split);
        assertThat(sound.exitCode()).isZero();
        assertThat(sound.out()).contains("sound, final state of", "971 bytes, 7 sections");
        byte[] bytes = Files.readAllBytes(split);
        bytes[3]++;
        Path broken = Files.write(folder.resolve("broken"), bytes);
        CommandResult wrong = run("state", "verify", broken);
        assertThat(wrong.exitCode()).isEqualTo(1);
        assertThat(wrong.out()).contains("broken: wrong: header, byte 0", "no device state");
        bytes[3]--;
        bytes[500]++;
        Files.write(broken, bytes);
        JsonNode json = new JsonMapper()
                .readTree(run("state", "verify", "--json", broken).out());
        assertThat(json.get("sound").asBoolean()).isFalse();
        assertThat(json.get("where").asString()).isEqualTo("trailer");
        CommandResult show = run("state", "show", broken);
        assertThat(show.exitCode()).isEqualTo(1);
        assertThat(show.err()).startsWith("fairlead: ").contains("broken", "was changed");
    }

    @Test
    void filesThatAreNoneAreNamed() throws Exception {
        CommandResult missing = run("state", "verify", folder.resolve("none"));
        assertThat(missing.exitCode()).isEqualTo(1);
        assertThat(missing.err()).contains("none", "cannot be read");
        Path large = folder.resolve("large");
        try (RandomAccessFile file = new RandomAccessFile(large.toFile(), "rw")) {
            file.setLength(1L << 40);
        }
        assertThat(run("state", "verify", large).out()).contains("more than");
        assertThat(run("state").exitCode()).isEqualTo(2);
        assertThat(run("state", "diff", split).exitCode()).isEqualTo(2);
    }

    @Test
    void theStateOfARealDiskIsSound() throws Exception {
        Path image = folder.resolve("disk.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(1 << 20);
        }
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice disk = new SoftwareManagement("software", loops)
                        .add("disk0", DeviceId.BLOCK, Map.of("path", image.toString(), "queues", "2"))) {
            Path state = write("disk", DeviceSnapshot.take(disk, new UUID(1, 2), 0, true));
            assertThat(run("state", "verify", state).exitCode()).isZero();
            assertThat(run("state", "show", state).out()).containsPattern("capacity +2048");
        }
    }
}
