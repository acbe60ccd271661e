package io.fairlead.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class HotPlugTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final Duration SHORT = Duration.ofMillis(50);
    private static final String OK = "\"return\": {}";
    private static final String PROPERTIES = "\"return\": [{\"name\": \"num-queues\", \"type\": \"uint16\"},"
            + " {\"name\": \"packed\", \"type\": \"bool\"}, {\"name\": \"tag\", \"type\": \"str\"}]";

    @TempDir
    Path folder;

    /** What QEMU was asked, after the greeting. */
    private final List<JsonNode> asked = new CopyOnWriteArrayList<>();

    private final Map<String, String> answers = new java.util.concurrent.ConcurrentHashMap<>(Map.of(
            "qom-get",
            "\"return\": \"pc-q35-10.0-machine\"",
            "query-pci",
            port("port0", ""),
            "query-version",
            "\"return\": {\"qemu\": {\"major\": 11, \"minor\": 1, \"micro\": 3}}",
            "device-list-properties",
            PROPERTIES));

    private static String port(String id, String devices) {
        return "\"return\": [{\"bus\": 0, \"devices\": [{\"qdev_id\": \"\", \"class_info\": {\"class\": 1536}},"
                + "{\"qdev_id\": \"%s\", \"class_info\": {\"class\": 1540}, \"pci_bridge\": {\"devices\": [%s]}}]}]"
                        .formatted(id, devices);
    }

    private FakeMonitor monitor(Function<String, String> event) throws Exception {
        return new FakeMonitor(folder, session -> {
            session.negotiate();
            while (true) {
                JsonNode command = session.command();
                asked.add(command);
                String name = command.path("execute").asString("");
                session.answer(command, answers.getOrDefault(name, OK));
                String following = event.apply(name);
                if (!following.isEmpty()) {
                    session.send(following);
                }
            }
        });
    }

    private List<String> commands() {
        return asked.stream()
                .map(command -> command.path("execute").asString(""))
                .filter(name -> !name.startsWith("query") && !name.startsWith("qom") && !name.contains("list"))
                .toList();
    }

    private JsonNode arguments(String command) {
        return asked.stream()
                .filter(sent -> sent.path("execute").asString("").equals(command))
                .findFirst()
                .orElseThrow()
                .path("arguments");
    }

    private static VhostUserDevice disk() {
        return VhostUserDevice.blk("disk1", Path.of("/run/disk1.sock"))
                .with("num-queues", 2)
                .with("packed", "on")
                .with("tag", "17")
                .withReconnectMillis(20);
    }

    @Test
    void plugsIntoAFreePortWithPropertiesOfTheirTypes() throws Exception {
        try (FakeMonitor monitor = monitor(_ -> "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            HotPlug.plug(qmp, disk());
        }
        assertThat(commands()).containsExactly("chardev-add", "device_add");
        assertThat(arguments("chardev-add").toString())
                .contains("\"char-disk1\"", "/run/disk1.sock", "\"reconnect-ms\":20", "\"server\":false");
        assertThat(arguments("device_add").toString())
                .contains(
                        "\"bus\":\"port0\"", "\"num-queues\":2", "\"packed\":true", "\"tag\":\"17\"", "\"char-disk1\"");
    }

    @Test
    void aNetworkCardHasItsNetdev() throws Exception {
        try (FakeMonitor monitor = monitor(_ -> "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            HotPlug.plug(qmp, VhostUserDevice.net("nic1", Path.of("/run/nic1.sock")));
        }
        assertThat(commands()).containsExactly("chardev-add", "netdev_add", "device_add");
        assertThat(arguments("netdev_add").toString()).contains("\"queues\":1", "\"net-nic1\"");
        assertThat(arguments("device_add").path("netdev").asString("")).isEqualTo("net-nic1");
    }

    @Test
    void whatQemuRefusesIsTakenBack() throws Exception {
        answers.put("device_add", "\"error\": {\"class\": \"GenericError\", \"desc\": \"cannot connect\"}");
        try (FakeMonitor monitor = monitor(_ -> "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThatThrownBy(() -> HotPlug.plug(qmp, disk())).hasMessage("device disk1: cannot connect");
        }
        assertThat(commands()).containsExactly("chardev-add", "device_add", "netdev_del", "chardev-remove");
    }

    @Test
    void saysHowToHaveAPort() throws Exception {
        answers.put("query-pci", port("", ""));
        try (FakeMonitor monitor = monitor(_ -> "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThatThrownBy(() -> HotPlug.plug(qmp, disk())).hasMessageContaining("-device pcie-root-port,id=port0");
            answers.put("query-pci", port("port0", "{\"qdev_id\": \"nic0\"}"));
            assertThatThrownBy(() -> HotPlug.plug(qmp, disk())).hasMessageContaining("are taken (port0)");
        }
        assertThat(commands()).isEmpty();
    }

    private static String event(String name) {
        return "{\"event\": \"%s\", \"data\": {\"device\": \"disk1\", \"path\": \"/machine/peripheral/disk1\"}}\r\n"
                .formatted(name);
    }

    @Test
    void unplugWaitsForTheGuestAndRemovesTheRest() throws Exception {
        try (FakeMonitor monitor = monitor(name -> name.equals("device_del") ? event("DEVICE_DELETED") : "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            HotPlug.unplug(qmp, "disk1", TIMEOUT);
        }
        assertThat(commands()).containsExactly("device_del", "netdev_del", "chardev-remove");
    }

    @Test
    void aGuestThatDoesNotAnswerKeepsTheDeviceAndMayBeAskedAgain() throws Exception {
        try (FakeMonitor monitor = monitor(_ -> "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThatThrownBy(() -> HotPlug.unplug(qmp, "disk1", SHORT))
                    .isInstanceOf(GuestHoldsException.class)
                    .hasMessageContainingAll("disk1", "still has it", "try again");
        }
        assertThat(commands()).containsExactly("device_del");
    }

    @Test
    void anUnplugUnderWayIsWaitedForAgain() throws Exception {
        answers.put(
                "device_del",
                "\"error\": {\"class\": \"GenericError\", \"desc\": \"Device disk1 is already in the process of unplug\"}");
        try (FakeMonitor monitor = monitor(name -> name.equals("device_del") ? event("DEVICE_DELETED") : "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            HotPlug.unplug(qmp, "disk1", TIMEOUT);
        }
        assertThat(commands()).contains("chardev-remove");
    }

    @Test
    void refusalsAreTold() throws Exception {
        try (FakeMonitor monitor =
                        monitor(name -> name.equals("device_del") ? event("DEVICE_UNPLUG_GUEST_ERROR") : "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThatThrownBy(() -> HotPlug.unplug(qmp, "disk1", TIMEOUT))
                    .isInstanceOf(GuestHoldsException.class)
                    .hasMessageContaining("refuses");
            answers.put(
                    "device_del",
                    "\"error\": {\"class\": \"GenericError\", \"desc\": \"Bus does not support hotplugging\"}");
            assertThatThrownBy(() -> HotPlug.unplug(qmp, "disk1", TIMEOUT))
                    .hasMessage("device disk1: Bus does not support hotplugging");
        }
        assertThat(commands()).containsExactly("device_del", "device_del");
    }

    @Test
    void whatQemuDoesNotHaveIsOutAlready() throws Exception {
        answers.put("device_del", "\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device 'disk1' not found\"}");
        try (FakeMonitor monitor = monitor(_ -> "");
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            HotPlug.unplug(qmp, "disk1", TIMEOUT);
        }
        assertThat(commands()).containsExactly("device_del", "netdev_del", "chardev-remove");
    }
}
