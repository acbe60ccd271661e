package io.fairlead.node;

import io.fairlead.node.channel.Message;
import io.fairlead.node.migration.Kind;
import io.fairlead.qemu.MachineFacts;
import io.fairlead.qemu.QemuVersion;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Preflight;
import io.fairlead.vdpa.preflight.Verdict;
import io.fairlead.vdpa.state.DeviceState;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Whether a machine may move: what both nodes say of their QEMUs and devices, compared. Nothing is changed.
 *
 * @param lines one a field
 * @param mayFreeze whether requests in flight may be carried over: both sides of every device can
 * @param replugged names of the devices that QEMU does not migrate: they leave the machine and come back to it
 */
public record MachineCheck(List<Line> lines, boolean mayFreeze, List<String> replugged) {
    /**
     * One verdict.
     *
     * @param subject the device's name, or "machine"
     */
    public record Line(String subject, Verdict verdict) {
        public ObjectNode into(ObjectNode node) {
            return node.put("subject", subject)
                    .put("field", verdict.field())
                    .put("outcome", verdict.outcome().name())
                    .put("source", verdict.sourceValue())
                    .put("destination", verdict.destinationValue())
                    .put("reason", verdict.reason())
                    .put("remedy", verdict.remedy());
        }
    }

    public MachineCheck {
        lines = List.copyOf(lines);
        replugged = List.copyOf(replugged);
    }

    /** Every reason against it, empty where there is none. */
    public String refusal() {
        return lines.stream()
                .filter(line -> line.verdict().outcome() == Verdict.Outcome.REFUSED)
                .map(line -> "%s: %s: %s"
                        .formatted(
                                line.subject(),
                                line.verdict().field(),
                                line.verdict().reason()))
                .collect(Collectors.joining("; "));
    }

    /** What a node says of its side; states of devices go as blobs. */
    static Message describe(NodeMachine machine) throws IOException {
        Message message = new Message(Kind.DESCRIBE, Message.of(Kind.DESCRIBE).fields(), machine.provisionalStates());
        ObjectNode fields = message.fields();
        machine.devices().forEach(device -> fields.withArray("devices").add(device.name()));
        try {
            MachineFacts facts = MachineFacts.of(machine.monitor());
            ObjectNode qemu = fields.putObject("qemu");
            qemu.put("version", facts.version().toString());
            qemu.put("machineType", facts.machineType());
            qemu.put("status", facts.status());
            qemu.put("memoryBytes", facts.memoryBytes());
            ObjectNode drivers = qemu.putObject("devices");
            facts.devices().forEach(device -> drivers.put(device.id(), device.driver()));
            facts.unmigratable()
                    .forEach(device -> qemu.withArray("unmigratable").add(device.id()));
            qemu.put("blockers", String.join("; ", facts.otherBlockers()));
        } catch (IOException e) {
            fields.put("qemuMissing", String.valueOf(e.getMessage()));
        }
        return message;
    }

    /** Compares what both said. */
    static MachineCheck compare(Message source, Message destination) throws IOException {
        List<Line> lines = new ArrayList<>();
        Map<String, byte[]> here = byName(source);
        Map<String, byte[]> there = byName(destination);
        List<String> replugged = unmigratable(source.fields().path("qemu"), here.keySet(), lines);
        machine(source.fields(), destination.fields(), replugged, lines);
        for (String name : replugged) {
            lines.add(replugged(name, source, destination));
        }
        List<String> names = moving(here, replugged);
        List<String> others = moving(there, replugged);
        boolean mayFreeze = true;
        for (int i = 0; i < names.size(); i++) {
            int other = others.indexOf(names.get(i));
            if (other != i) {
                lines.add(new Line(
                        names.get(i),
                        verdict(
                                "device",
                                false,
                                names.get(i),
                                other < 0 ? "none" : "at another place",
                                "the destination's node does not have it at this place of the machine",
                                "name the same devices in the same order in --machine of both nodes")));
                mayFreeze = false;
                continue;
            }
            DeviceProfile a = profile(here, names.get(i));
            DeviceProfile b = profile(there, names.get(i));
            for (Verdict verdict : Preflight.compare(a, b)) {
                lines.add(new Line(names.get(i), verdict));
            }
            mayFreeze &= Preflight.quiesceMode(a, b) == Preflight.QuiesceMode.FREEZE;
        }
        return new MachineCheck(lines, mayFreeze, replugged);
    }

    /** The devices of a description with their states, in its order. */
    static Map<String, byte[]> byName(Message message) throws IOException {
        Map<String, byte[]> states = new LinkedHashMap<>();
        JsonNode names = message.fields().path("devices");
        if (names.size() != message.blobs().size()) {
            throw new IOException("a node told of %d devices and sent %d states"
                    .formatted(names.size(), message.blobs().size()));
        }
        for (int i = 0; i < names.size(); i++) {
            states.put(names.path(i).asString(""), message.blobs().get(i));
        }
        return states;
    }

    /** The states of the devices that move with the machine. */
    List<byte[]> moving(Message source) throws IOException {
        Map<String, byte[]> states = byName(source);
        replugged.forEach(states::remove);
        return List.copyOf(states.values());
    }

    private static List<String> moving(Map<String, byte[]> states, List<String> replugged) {
        return states.keySet().stream()
                .filter(name -> !replugged.contains(name))
                .toList();
    }

    private static DeviceProfile profile(Map<String, byte[]> states, String name) throws IOException {
        byte[] state = states.get(name);
        if (state == null) {
            throw new IOException("a node sent no state of device " + name);
        }
        return DeviceState.decode(state).profile();
    }

    /** Of the source's devices, and only those: of another's that QEMU does not migrate it is said that it has to go. */
    private static List<String> unmigratable(JsonNode qemu, Set<String> ours, List<Line> lines) {
        List<String> names = new ArrayList<>();
        for (JsonNode node : qemu.path("unmigratable")) {
            String name = node.asString("");
            if (ours.contains(name)) {
                names.add(name);
            } else {
                lines.add(line(
                        "migratable",
                        false,
                        name,
                        "",
                        "QEMU does not migrate %s of device %s, which is not the node's"
                                .formatted(text(qemu.path("devices"), name), name),
                        "take it out of the machine first"));
            }
        }
        return names;
    }

    /** What is announced of a device that leaves the machine and comes back to it. */
    private static Line replugged(String name, Message source, Message destination) throws IOException {
        String driver = text(source.fields().path("qemu").path("devices"), name);
        Map<String, byte[]> there = byName(destination);
        String against = "";
        String remedy = "";
        if (!there.containsKey(name)) {
            against = "the destination's node does not have it";
            remedy = "give it to that node by --device, and name it in its --machine";
        } else if (profile(byName(source), name).deviceId()
                != profile(there, name).deviceId()) {
            against = "the destination's is of another type";
            remedy = "give the destination's node one of the same type";
        } else if (destination.fields().path("qemu").path("devices").has(name)) {
            against = "QEMU does not migrate " + driver + ", and the destination's QEMU has one already";
            remedy = "start that QEMU without it, and with a free port: -device pcie-root-port,id=port0,chassis=1";
        }
        return new Line(
                name,
                new Verdict(
                        "unplugged for the move",
                        against.isEmpty() ? Verdict.Outcome.WARNING : Verdict.Outcome.REFUSED,
                        driver,
                        driver,
                        against.isEmpty()
                                ? "QEMU does not migrate it: the guest gives it back before the machine moves, and gets it"
                                        + " again afterwards"
                                : against,
                        remedy));
    }

    private static void machine(JsonNode source, JsonNode destination, List<String> replugged, List<Line> lines) {
        for (JsonNode side : List.of(source, destination)) {
            if (side.has("qemuMissing")) {
                boolean isSource = side.equals(source);
                lines.add(line(
                        "QEMU",
                        false,
                        isSource ? "none" : "there",
                        isSource ? "there" : "none",
                        side.path("qemuMissing").asString(""),
                        isSource ? "start the machine" : "start the destination's QEMU with -incoming defer -S"));
                return;
            }
        }
        JsonNode a = source.path("qemu");
        JsonNode b = destination.path("qemu");
        QemuVersion older = version(a);
        QemuVersion newer = version(b);
        boolean forward = newer.compareTo(older) >= 0;
        lines.add(new Line(
                "machine",
                new Verdict(
                        "QEMU version",
                        forward ? Verdict.Outcome.OK : Verdict.Outcome.WARNING,
                        older.toString(),
                        newer.toString(),
                        forward ? "not older" : "QEMU's developers test migration to newer versions",
                        forward ? "" : "use at the destination at least the source's version")));
        String status = text(a, "status");
        lines.add(line(
                "source state",
                status.equals(QemuStatus.RUNNING),
                status,
                "",
                status.equals(QemuStatus.RUNNING) ? "runs" : "only a running machine is moved",
                "let it run (cont) first"));
        String waiting = text(b, "status");
        lines.add(line(
                "destination state",
                waiting.equals(QemuStatus.INCOMING),
                "",
                waiting,
                waiting.equals(QemuStatus.INCOMING) ? "waits for a machine" : "it does not wait for a machine",
                "start the destination's QEMU with -incoming defer -S"));
        equal(
                lines,
                "machine type",
                text(a, "machineType"),
                text(b, "machineType"),
                "start both with the same -machine");
        equal(
                lines,
                "memory",
                Long.toString(a.path("memoryBytes").asLong(0)),
                Long.toString(b.path("memoryBytes").asLong(0)),
                "start both with the same -m");
        equal(
                lines,
                "QEMU's devices",
                drivers(a, replugged),
                drivers(b, replugged),
                "start both with the same -device options");
        String blockers = text(a, "blockers");
        lines.add(line(
                "migratable",
                blockers.isEmpty(),
                blockers.isEmpty() ? "yes" : "no",
                "",
                blockers.isEmpty() ? "QEMU knows of nothing against it" : blockers,
                "unplug what cannot migrate, and plug it in again afterwards"));
    }

    private static String drivers(JsonNode qemu, List<String> replugged) {
        return qemu.path("devices").properties().stream()
                .filter(device -> !replugged.contains(device.getKey()))
                .map(device -> device.getKey() + "=" + device.getValue().asString(""))
                .sorted()
                .collect(Collectors.joining(" "));
    }

    private static void equal(List<Line> lines, String field, String a, String b, String remedy) {
        boolean equal = a.equals(b);
        lines.add(line(field, equal, a, b, equal ? "equal" : "has to be equal", remedy));
    }

    private static Line line(String field, boolean ok, String a, String b, String reason, String remedy) {
        return new Line("machine", verdict(field, ok, a, b, reason, remedy));
    }

    private static Verdict verdict(String field, boolean ok, String a, String b, String reason, String remedy) {
        return new Verdict(field, ok ? Verdict.Outcome.OK : Verdict.Outcome.REFUSED, a, b, reason, ok ? "" : remedy);
    }

    private static QemuVersion version(JsonNode qemu) {
        return QemuVersion.parse("version " + text(qemu, "version")).orElse(new QemuVersion(0, 0, 0));
    }

    private static String text(JsonNode node, String name) {
        return node.path(name).asString("");
    }
}
