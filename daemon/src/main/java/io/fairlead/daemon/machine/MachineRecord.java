package io.fairlead.daemon.machine;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A machine as it is written down.
 *
 * @param xml the complete domain that it is started from the next time
 * @param isCrashed whether its last QEMU ended unasked
 * @param reason of its present state, for people
 * @param live its QEMU; null where it has none
 */
record MachineRecord(
        String name,
        UUID uuid,
        String xml,
        boolean autostart,
        boolean isCrashed,
        String reason,
        @Nullable Live live) {
    /**
     * A QEMU that runs, or is being started.
     *
     * @param xml the complete domain that it has now
     * @param stage how far it is
     * @param devices names of the daemon's devices that it has
     */
    record Live(String xml, Stage stage, List<String> devices) {
        Live {
            devices = List.copyOf(devices);
        }

        Live in(Stage other) {
            return new Live(xml, other, devices);
        }
    }

    /** How far a machine's QEMU is. */
    enum Stage {
        /** Not up yet: the next daemon ends it. */
        STARTING,
        /** It waits for a machine that comes; what becomes of it is the node's to say. */
        ARRIVING,
        RUNNING,
        /** The machine runs elsewhere. */
        MOVED
    }

    MachineRecord withXml(String value) {
        return new MachineRecord(name, uuid, value, autostart, isCrashed, reason, live);
    }

    MachineRecord withAutostart(boolean value) {
        return new MachineRecord(name, uuid, xml, value, isCrashed, reason, live);
    }

    MachineRecord withLive(@Nullable Live value) {
        return new MachineRecord(name, uuid, xml, autostart, false, "", value);
    }

    MachineRecord withReason(String why) {
        return new MachineRecord(name, uuid, xml, autostart, isCrashed, why, live);
    }

    /** Its QEMU, where it still has one, is at another stage. */
    MachineRecord in(Stage stage) {
        return live == null ? this : withLive(live.in(stage));
    }

    /** Its QEMU, where it still has one, has other devices. */
    MachineRecord withDevices(Live value) {
        return live == null ? this : withLive(value);
    }

    MachineRecord ended(boolean crashed, String why) {
        return new MachineRecord(name, uuid, xml, autostart, crashed, why, null);
    }

    ObjectNode written() {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("uuid", uuid.toString())
                .put("xml", xml)
                .put("autostart", autostart)
                .put("crashed", isCrashed)
                .put("reason", reason);
        if (live != null) {
            ObjectNode now = node.putObject("live")
                    .put("xml", live.xml())
                    .put("stage", live.stage().name());
            live.devices().forEach(now.putArray("devices")::add);
        }
        return node;
    }

    static MachineRecord of(String name, JsonNode written) {
        JsonNode now = written.path("live");
        Live live = null;
        if (now.isObject()) {
            List<String> devices = new ArrayList<>();
            now.path("devices").forEach(device -> devices.add(device.asString("")));
            live = new Live(
                    now.path("xml").asString(""),
                    Stage.valueOf(now.path("stage").asString("")),
                    devices);
        }
        return new MachineRecord(
                name,
                UUID.fromString(written.path("uuid").asString("")),
                written.path("xml").asString(""),
                written.path("autostart").asBoolean(false),
                written.path("crashed").asBoolean(false),
                written.path("reason").asString(""),
                live);
    }
}
