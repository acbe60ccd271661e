package io.fairlead.daemon.device;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Whose a device is, and how long it is there.
 *
 * @param machine null for the user's, which stays until the user removes it
 * @param isForItsRun whether it goes when the machine's QEMU ends; else when the machine leaves this host
 */
public record DeviceOwner(@Nullable String machine, boolean isForItsRun) {
    /** The user. */
    public static final DeviceOwner USER = new DeviceOwner(null, false);

    /** A machine, as long as it runs here. */
    public static DeviceOwner runOf(String machine) {
        return new DeviceOwner(machine, true);
    }

    /** A machine with which it came here. */
    public static DeviceOwner stayOf(String machine) {
        return new DeviceOwner(machine, false);
    }

    boolean isRunOf(String other) {
        return isForItsRun && other.equals(machine);
    }

    boolean isStayOf(String other) {
        return !isForItsRun && other.equals(machine);
    }

    ObjectNode into(ObjectNode node) {
        return machine == null ? node : node.put("owner", machine).put("forItsRun", isForItsRun);
    }

    static DeviceOwner of(JsonNode written) {
        String machine = written.path("owner").asString("");
        return machine.isEmpty()
                ? USER
                : new DeviceOwner(machine, written.path("forItsRun").asBoolean(true));
    }
}
