package io.fairlead.qemu;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * What a QEMU says about itself and its machine, at one moment.
 *
 * @param version of QEMU
 * @param machineType with its version, such as {@code pc-q35-10.0}
 * @param status as query-status answers: running, paused, inmigrate, postmigrate and others
 * @param memoryBytes of the guest
 * @param devices that have an id
 * @param carriesInflightRequests whether this QEMU's vhost-user disks can carry requests that are in flight in QEMU's own
 *     stream (their property {@code inflight-migration})
 * @param migrationBlockers why this machine cannot migrate, in QEMU's words; empty where it can
 */
public record MachineFacts(
        QemuVersion version,
        String machineType,
        String status,
        long memoryBytes,
        List<Device> devices,
        boolean carriesInflightRequests,
        List<String> migrationBlockers) {
    private static final String MACHINE = "-machine";

    /**
     * A device of the machine.
     *
     * @param id that the user gave
     * @param driver QEMU's device model, such as {@code vhost-user-blk-pci}
     */
    public record Device(String id, String driver) {
        private static final String BLOCKER = "non-migratable device: ";
        private static final String PCI = "-pci";

        /** QEMU names a device by its place and by what is behind its PCI function. */
        private boolean isNamedBy(String blocker) {
            return blocker.startsWith(BLOCKER)
                    && driver.endsWith(PCI)
                    && blocker.endsWith("/" + driver.substring(0, driver.length() - PCI.length()));
        }
    }

    public MachineFacts {
        devices = List.copyOf(devices);
        migrationBlockers = List.copyOf(migrationBlockers);
    }

    /** Asks a QEMU. */
    public static MachineFacts of(Qmp qmp) throws IOException {
        List<String> blockers = new ArrayList<>();
        for (JsonNode reason : qmp.execute("query-migrate").path("blocked-reasons")) {
            blockers.add(reason.asString(""));
        }
        return new MachineFacts(
                version(qmp),
                machineType(qmp),
                qmp.execute("query-status").path("status").asString(""),
                qmp.execute("query-memory-size-summary").path("base-memory").asLong(0),
                devices(qmp),
                hasProperty(qmp, "vhost-user-blk", "inflight-migration"),
                blockers);
    }

    /** The machine type that a QEMU has, with its version. */
    public static String machineType(Qmp qmp) throws IOException {
        String type = qmp.execute("qom-get", Map.of("path", "/machine", "property", "type"))
                .asString("");
        return type.endsWith(MACHINE) ? type.substring(0, type.length() - MACHINE.length()) : type;
    }

    /** The devices of which QEMU says that it cannot migrate them. */
    public List<Device> unmigratable() {
        return devices.stream()
                .filter(device -> migrationBlockers.stream().anyMatch(device::isNamedBy))
                .toList();
    }

    /** What is against a migration besides {@link #unmigratable}, in QEMU's words. */
    public List<String> otherBlockers() {
        return migrationBlockers.stream()
                .filter(blocker -> unmigratable().stream().noneMatch(device -> device.isNamedBy(blocker)))
                .toList();
    }

    /** Whether the machine's processors run. */
    public boolean isRunning() {
        return status.equals("running");
    }

    static QemuVersion version(Qmp qmp) throws IOException {
        JsonNode qemu = qmp.execute("query-version").path("qemu");
        return new QemuVersion(
                qemu.path("major").asInt(0),
                qemu.path("minor").asInt(0),
                qemu.path("micro").asInt(0));
    }

    /** The ids of the devices that a machine has now. */
    public static List<String> deviceIds(Qmp qmp) throws IOException {
        return devices(qmp).stream().map(Device::id).toList();
    }

    private static List<Device> devices(Qmp qmp) throws IOException {
        List<Device> found = new ArrayList<>();
        for (JsonNode entry : qmp.execute("qom-list", Map.of("path", "/machine/peripheral"))) {
            String type = entry.path("type").asString("");
            if (type.startsWith("child<") && type.endsWith(">")) {
                found.add(new Device(
                        entry.path("name").asString(""), type.substring("child<".length(), type.length() - 1)));
            }
        }
        return found;
    }

    private static boolean hasProperty(Qmp qmp, String driver, String property) throws IOException {
        try {
            for (JsonNode entry : qmp.execute("device-list-properties", Map.of("typename", driver))) {
                if (entry.path("name").asString("").equals(property)) {
                    return true;
                }
            }
            return false;
        } catch (QmpException e) {
            // A QEMU without this device.
            return false;
        }
    }
}
