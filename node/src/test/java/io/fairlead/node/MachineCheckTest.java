package io.fairlead.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.node.channel.Message;
import io.fairlead.node.migration.Kind;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.Verdict;
import io.fairlead.vdpa.state.DeviceSnapshot;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** What two nodes say of a machine, compared. */
class MachineCheckTest {
    private static final String RNG = "vhost-user-rng-pci";

    @TempDir
    Path folder;

    @Test
    void aDeviceThatQemuDoesNotMigrateIsAnnouncedAndLeftOut() throws IOException {
        Message source = side("running", Map.of("rng0", "rng"), Map.of("rng0", RNG, "port0", "pcie-root-port"));
        unmigratable(source, "rng0");
        Message destination = side("inmigrate", Map.of("rng0", "rng"), Map.of("port0", "pcie-root-port"));
        MachineCheck check = MachineCheck.compare(source, destination);
        assertThat(check.refusal()).isEmpty();
        assertThat(check.replugged()).containsExactly("rng0");
        assertThat(check.moving(source)).isEmpty();
        assertThat(check.lines())
                .filteredOn(line -> line.subject().equals("rng0"))
                .singleElement()
                .satisfies(line -> assertThat(line.verdict().outcome()).isEqualTo(Verdict.Outcome.WARNING));
    }

    @Test
    void aDestinationThatCannotTakeItAgainIsRefused() throws IOException {
        Message source = side("running", Map.of("rng0", "rng"), Map.of("rng0", RNG));
        unmigratable(source, "rng0");
        assertThat(refusal(source, side("inmigrate", Map.of(), Map.of())))
                .contains("the destination's node does not have it");
        assertThat(refusal(source, side("inmigrate", Map.of("rng0", "console"), Map.of())))
                .contains("the destination's is of another type");
        assertThat(refusal(source, side("inmigrate", Map.of("rng0", "rng"), Map.of("rng0", RNG))))
                .contains("the destination's QEMU has one already");
    }

    @Test
    void whatIsNotTheNodesHasToGoFirst() throws IOException {
        Message source = side("running", Map.of(), Map.of("gpio0", "vhost-user-gpio-pci"));
        unmigratable(source, "gpio0");
        assertThat(refusal(source, side("inmigrate", Map.of(), Map.of())))
                .contains("QEMU does not migrate vhost-user-gpio-pci of device gpio0, which is not the node's");
    }

    @Test
    void devicesThatMoveAreTheSameInTheSameOrder() throws IOException {
        Map<String, String> ab = new LinkedHashMap<>();
        ab.put("a", "rng");
        ab.put("b", "rng");
        Map<String, String> ba = new LinkedHashMap<>();
        ba.put("b", "rng");
        ba.put("a", "rng");
        Message source = side("running", ab, Map.of());
        assertThat(refusal(source, side("inmigrate", ab, Map.of()))).isEmpty();
        assertThat(refusal(source, side("inmigrate", ba, Map.of()))).contains("a: device", "b: device");
        unmigratable(source, "a");
        assertThat(refusal(source, side("inmigrate", ba, Map.of()))).isEmpty();
    }

    private static String refusal(Message source, Message destination) throws IOException {
        return MachineCheck.compare(source, destination).refusal();
    }

    private static void unmigratable(Message message, String name) {
        message.fields().withObject("qemu").withArray("unmigratable").add(name);
    }

    /** What one side says, with devices by name and type, and QEMU's by id and driver. */
    private Message side(String status, Map<String, String> devices, Map<String, String> drivers) throws IOException {
        List<byte[]> states = new ArrayList<>();
        Message message = Message.of(Kind.DESCRIBE);
        message.fields().putArray("devices");
        try (EventLoopGroup loops = new EventLoopGroup(1);
                Registry registry = new Registry()) {
            registry.register(new SoftwareManagement("software", loops));
            for (Map.Entry<String, String> entry : devices.entrySet()) {
                int type = DeviceId.byName(entry.getValue()).orElseThrow();
                Map<String, String> attributes = type == DeviceId.CONSOLE
                        ? Map.of("path", folder.resolve("console.txt").toString())
                        : Map.of();
                VdpaDevice device = registry.add("software", entry.getKey(), type, attributes);
                message.fields().withArray("devices").add(entry.getKey());
                states.add(DeviceSnapshot.take(device, new UUID(1, 2), 0, false).encode());
            }
        }
        ObjectNode qemu = message.fields().putObject("qemu");
        qemu.put("version", "11.1.3").put("machineType", "pc-q35-10.0").put("status", status);
        qemu.put("memoryBytes", 1 << 20).put("blockers", "");
        ObjectNode there = qemu.putObject("devices");
        drivers.forEach(there::put);
        return new Message(Kind.DESCRIBE, message.fields(), states);
    }
}
