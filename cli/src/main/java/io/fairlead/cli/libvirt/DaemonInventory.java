package io.fairlead.cli.libvirt;

import io.fairlead.daemon.client.ApiClient;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/** The devices of this host's daemon, as it describes them. Immutable. */
public final class DaemonInventory {
    /** Where there is no daemon. */
    public static final DaemonInventory NONE = new DaemonInventory(MissingNode.getInstance());

    private final JsonNode devices;

    private DaemonInventory(JsonNode devices) {
        this.devices = devices;
    }

    /** Asks for them. */
    public static DaemonInventory of(ApiClient daemon) throws IOException {
        return new DaemonInventory(daemon.get("/v1/devices").path("devices"));
    }

    /** What is known of a device by its name; null where there is none. */
    public @Nullable KnownDevice known(String name) throws IOException {
        for (JsonNode device : devices) {
            if (!device.path("name").asString("").equals(name)) {
                continue;
            }
            String type = device.path("type").asString("");
            OptionalInt deviceId = DeviceId.byName(type);
            if (deviceId.isEmpty()) {
                throw new IOException("device %s: the daemon says that it is a '%s'".formatted(name, type));
            }
            JsonNode attributes = device.path("attributes");
            return new KnownDevice(
                    name,
                    deviceId.getAsInt(),
                    Path.of(device.path("socket").asString("")),
                    KnownDevice.requestQueues(
                            deviceId.getAsInt(), device.path("max_vqs").asInt(0)),
                    text(attributes, "tag"),
                    text(attributes, "mac"));
        }
        return null;
    }

    /**
     * Whether a machine of libvirt's may have the device at a socket, as far as the daemon knows. A device that is not the
     * daemon's may.
     *
     * @throws IOException with the daemon's reason where it may not
     */
    void check(String socket) throws IOException {
        for (JsonNode device : devices) {
            if (!device.path("socket").asString("").equals(socket)) {
                continue;
            }
            String problem = text(device, "problem");
            if (problem != null) {
                throw new IOException("the daemon could not make it: " + problem);
            }
            String machine = text(device, "machine");
            if (machine != null) {
                throw new IOException(
                        "the daemon's machine %s has it; detach it there, or stop that machine".formatted(machine));
            }
            if (device.path("connected").asBoolean(false)) {
                throw new IOException(
                        "another program is connected to it, as the daemon says; stop that, or add a device");
            }
        }
    }

    private static @Nullable String text(JsonNode node, String key) {
        String text = node.path(key).asString("");
        return text.isEmpty() ? null : text;
    }
}
