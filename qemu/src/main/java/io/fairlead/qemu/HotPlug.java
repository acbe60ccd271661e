package io.fairlead.qemu;

import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/** Devices that come to a running machine and leave it again. One thread at a time for a machine. */
public final class HotPlug {
    private static final Logger LOG = LoggerFactory.getLogger(HotPlug.class);
    private static final String NOT_FOUND = "DeviceNotFound";
    private static final String UNPLUG_PENDING = "in the process of unplug";

    private HotPlug() {}

    /**
     * Plugs a device in. On return QEMU has it and has told the guest; whether the guest's driver takes it shows at the
     * device's back-end.
     *
     * @throws IOException where QEMU refuses or the machine has no place; what was set up is taken back
     */
    public static void plug(Qmp qmp, VhostUserDevice device) throws IOException {
        Map<String, Object> arguments = new LinkedHashMap<>();
        arguments.put("driver", device.driver());
        arguments.put("id", device.id());
        PciSlots.free(qmp).ifPresent(bus -> arguments.put("bus", bus));
        properties(qmp, device, arguments);
        JsonNode _ = qmp.execute("chardev-add", chardev(device, MachineFacts.version(qmp)));
        boolean plugged = false;
        try {
            if (device.netdevQueues() > 0) {
                JsonNode _ = qmp.execute(
                        "netdev_add",
                        Map.of(
                                "type",
                                "vhost-user",
                                "id",
                                VhostUserDevice.netdevId(device.id()),
                                "chardev",
                                VhostUserDevice.chardevId(device.id()),
                                "queues",
                                device.netdevQueues()));
                arguments.put("netdev", VhostUserDevice.netdevId(device.id()));
            } else {
                arguments.put("chardev", VhostUserDevice.chardevId(device.id()));
            }
            JsonNode _ = qmp.execute("device_add", arguments);
            plugged = true;
        } catch (QmpException e) {
            throw new IOException("device %s: %s".formatted(device.id(), e.description()), e);
        } finally {
            if (!plugged) {
                removeBackend(qmp, device.id());
            }
        }
    }

    /**
     * Takes a device out: asks the guest, waits until it has let go, and removes what belongs to the device from QEMU. One
     * that QEMU does not have is out already.
     *
     * @param guestTimeout how long the guest may take
     * @throws GuestHoldsException where the guest does not let go in time or refuses; the device stays, and it may be tried
     *     again
     * @throws IOException where QEMU refuses
     */
    public static void unplug(Qmp qmp, String id, Duration guestTimeout) throws IOException, InterruptedException {
        long mark = qmp.eventMark();
        try {
            JsonNode _ = qmp.execute("device_del", Map.of("id", id));
        } catch (QmpException e) {
            if (e.errorClass().equals(NOT_FOUND)) {
                LOG.info("device {}: QEMU does not have it", id);
                removeBackend(qmp, id);
                return;
            }
            // Asked before, and the guest has not answered: it is waited for again.
            if (!e.description().contains(UNPLUG_PENDING)) {
                throw new IOException("device %s: %s".formatted(id, e.description()), e);
            }
        }
        Optional<QmpEvent> answer = qmp.awaitEvent(
                mark,
                event -> event.data().path("device").asString("").equals(id)
                        && (event.name().equals("DEVICE_DELETED")
                                || event.name().equals("DEVICE_UNPLUG_GUEST_ERROR")),
                guestTimeout);
        if (answer.isEmpty()) {
            if (!qmp.isOpen()) {
                throw new IOException("device %s: QEMU went away".formatted(id));
            }
            throw new GuestHoldsException(
                    "device %s: the guest has not let go of it within %d s and still has it: a guest that boots, hangs, or"
                                    .formatted(id, guestTimeout.toSeconds())
                            + " has no driver for hot-plug does not answer; try again later, or shut it down");
        }
        if (!answer.get().name().equals("DEVICE_DELETED")) {
            throw new GuestHoldsException("device %s: the guest refuses to let go of it".formatted(id));
        }
        removeBackend(qmp, id);
    }

    private static Map<String, Object> chardev(VhostUserDevice device, QemuVersion version) {
        Map<String, Object> data = new LinkedHashMap<>();
        data.put(
                "addr",
                Map.of("type", "unix", "data", Map.of("path", device.socket().toString())));
        data.put("server", false);
        data.putAll(device.reconnectOption(version));
        return Map.of("id", VhostUserDevice.chardevId(device.id()), "backend", Map.of("type", "socket", "data", data));
    }

    /** The monitor wants each property as what it is, and not as text. */
    private static void properties(Qmp qmp, VhostUserDevice device, Map<String, Object> arguments) throws IOException {
        Map<String, String> types = new LinkedHashMap<>();
        try {
            for (JsonNode property : qmp.execute("device-list-properties", Map.of("typename", device.driver()))) {
                types.put(
                        property.path("name").asString(""),
                        property.path("type").asString(""));
            }
        } catch (QmpException e) {
            throw new IOException(
                    "device %s: this QEMU has no %s: %s".formatted(device.id(), device.driver(), e.description()), e);
        }
        for (Map.Entry<String, String> property : device.properties().entrySet()) {
            String value = property.getValue();
            arguments.put(
                    property.getKey(),
                    switch (types.getOrDefault(property.getKey(), "")) {
                        case "bool" -> value.equals("on") || value.equals("true");
                        case "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64" ->
                            Long.decode(value);
                        default -> value;
                    });
        }
    }

    /** What of it is there. */
    private static void removeBackend(Qmp qmp, String id) {
        remove(qmp, "netdev_del", VhostUserDevice.netdevId(id));
        remove(qmp, "chardev-remove", VhostUserDevice.chardevId(id));
    }

    private static void remove(Qmp qmp, String command, String id) {
        try {
            JsonNode _ = qmp.execute(command, Map.of("id", id));
        } catch (IOException e) {
            LOG.debug("{} of {}", command, id, e);
        }
    }
}
