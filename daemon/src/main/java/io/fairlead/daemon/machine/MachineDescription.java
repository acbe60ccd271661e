package io.fairlead.daemon.machine;

import io.fairlead.daemon.operation.Operation;
import io.fairlead.daemon.operation.Operations;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.VdpaDevices;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.VncDisplay;
import io.fairlead.qemu.domain.format.DomainXml;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Machines as the API shows them. */
final class MachineDescription {
    /** What an operation is about to make of a machine. */
    private static final Map<String, String> ON_THE_WAY = Map.of(
            "start",
            "starting",
            "shutdown",
            "stopping",
            "destroy",
            "stopping",
            "migrate",
            "migrating",
            "arrive",
            "arriving");

    /** Of /proc/PID/stat, behind the command's name in parentheses. */
    private static final int USER_TICKS = 11;

    private static final int RESIDENT_PAGES = 21;
    private static final long NANOS_PER_TICK = 10_000_000;
    private static final long PAGE_BYTES = 4096;

    private final Operations operations;

    MachineDescription(Operations operations) {
        this.operations = operations;
    }

    ObjectNode of(ManagedMachine machine, MachineFolder folder) {
        MachineRecord kept = machine.kept();
        RunningMachine running = machine.running();
        Optional<Operation> operation = operations.of(Machines.PREFIX + kept.name());
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("name", kept.name());
        node.put("uuid", kept.uuid().toString());
        node.put("state", operation.map(some -> ON_THE_WAY.get(some.kind())).orElseGet(machine::state));
        node.put("reason", kept.reason());
        node.put("autostart", kept.autostart());
        Domain domain = domain(kept);
        node.put("memoryBytes", domain.memory().kib() << 10);
        node.put("vcpus", domain.cpu().count());
        node.put("pid", running == null ? null : running.process().pid());
        ArrayNode consoles = node.putArray("consoles");
        if (running != null) {
            folder.consoles(running.consoleCount()).forEach(socket -> consoles.add(socket.toString()));
        }
        node.put("vnc", running == null ? null : vnc(domain, running));
        ArrayNode devices = node.putArray("devices");
        for (Device device : domain.devices()) {
            VdpaSource source = VdpaDevices.source(device);
            devices.addObject()
                    .put("alias", device.place().alias())
                    .put("element", device.element())
                    .put("device", source == null ? null : source.dev());
        }
        node.put("operation", operation.map(some -> Long.toString(some.id())).orElse(null));
        return node;
    }

    private static Domain domain(MachineRecord kept) {
        MachineRecord.Live live = kept.live();
        try {
            return DomainXml.parse(live == null ? kept.xml() : live.xml()).domain();
        } catch (DomainException e) {
            throw new IllegalStateException("A domain that was kept is refused: " + e.getMessage(), e);
        }
    }

    private static @Nullable String vnc(Domain domain, RunningMachine running) {
        if (domain.devices(VncDisplay.class).isEmpty()) {
            return null;
        }
        try {
            var info = running.execute("query-vnc");
            String service = info.path("service").asString("");
            return service.isEmpty() ? null : info.path("host").asString("") + ":" + service;
        } catch (IOException e) {
            return null;
        }
    }

    /** How many terminals a domain has that are its machine's serial ports. */
    static int consoleCount(Domain domain) {
        boolean hasSerial = domain.devices(CharacterDevice.class).stream()
                .anyMatch(device -> device.role() == CharacterDevice.Role.SERIAL);
        return (int) domain.devices(CharacterDevice.class).stream()
                .filter(device -> device.backend() instanceof CharacterDevice.Backend.Pty)
                .filter(device -> device.role() != CharacterDevice.Role.CONSOLE
                        || !device.targetType().equals("serial")
                        || !hasSerial)
                .count();
    }

    static byte[] screenshot(RunningMachine running, MachineFolder folder) throws IOException {
        Path file = folder.path().resolve("screen.png");
        try {
            var _ = running.execute("screendump", Map.of("filename", file.toString(), "format", "png"));
            return Files.readAllBytes(file);
        } finally {
            Files.deleteIfExists(file);
        }
    }

    static ObjectNode statistics(RunningMachine running) throws IOException {
        String stat = Files.readString(
                Path.of("/proc", Long.toString(running.process().pid()), "stat"), StandardCharsets.ISO_8859_1);
        String[] words = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        long ticks = Long.parseLong(words[USER_TICKS]) + Long.parseLong(words[USER_TICKS + 1]);
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("cpuNanos", ticks * NANOS_PER_TICK);
        node.put("residentBytes", Long.parseLong(words[RESIDENT_PAGES]) * PAGE_BYTES);
        node.put(
                "memoryBytes",
                running.execute("query-memory-size-summary").path("base-memory").asLong(0));
        return node;
    }
}
