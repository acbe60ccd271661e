package io.fairlead.node;

import io.fairlead.node.journal.DurableFile;
import io.fairlead.qemu.GuestHoldsException;
import io.fairlead.qemu.HotPlug;
import io.fairlead.qemu.Qmp;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Devices that come to running machines and leave them. Each is written down before the machine has it, so that a node
 * that is started again serves it again. Thread-safe: a machine has one change at a time.
 */
final class Attachments {
    private static final JsonMapper JSON = new JsonMapper();
    private static final String SUFFIX = ".json";

    private final Map<String, NodeMachine> machines;
    private final Path folder;
    private final DeviceMaker maker;
    private final MachineLocks locks;

    Attachments(Map<String, NodeMachine> machines, Path folder, DeviceMaker maker, MachineLocks locks) {
        this.machines = machines;
        this.folder = folder;
        this.maker = maker;
        this.locks = locks;
    }

    /** Makes the devices that a node had, before anything is served. */
    void recover() throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (Stream<Path> list = Files.list(folder)) {
            for (Path file : list.filter(path -> path.toString().endsWith(SUFFIX))
                    .sorted()
                    .toList()) {
                recover(file);
            }
        }
    }

    private void recover(Path file) throws IOException {
        JsonNode kept;
        try {
            kept = JSON.readTree(Files.readAllBytes(file));
        } catch (JacksonException e) {
            throw new IOException(
                    "%s, which says what device a machine has, is damaged (%s); remove it to start without"
                            .formatted(file, e.getOriginalMessage()),
                    e);
        }
        NodeMachine machine = machines.get(kept.path("machine").asString(""));
        if (machine == null) {
            throw new IOException(
                    "%s is of machine %s, which this node does not have; give it the machine, or remove it"
                            .formatted(file, kept.path("machine").asString("")));
        }
        machine.add(maker.make(DeviceOption.of(kept)));
    }

    /**
     * Gives a machine a device and waits until the guest's driver has taken it.
     *
     * @throws IOException where the host, QEMU or the guest does not take it: says which. It is taken back then, or the
     *     message says that the guest holds it
     */
    void attach(String name, DeviceOption option, Duration guestTimeout) throws IOException {
        NodeMachine machine = machine(name);
        if (!option.name().matches("[A-Za-z][A-Za-z0-9._-]*")) {
            throw new IllegalArgumentException(
                    "device %s: a name is a letter and then letters, digits, . _ -".formatted(option.name()));
        }
        locks.take(name, "a change of its devices");
        try {
            Qmp qmp = machine.monitor();
            NodeDevice device = maker.make(option);
            boolean attached = false;
            try {
                DurableFile.write(file(option.name()), bytes(name, option));
                device.serve();
                HotPlug.plug(qmp, QemuModel.of(device.device(), device.socket()));
                machine.add(device);
                attached = true;
            } finally {
                if (!attached) {
                    discard(device);
                }
            }
            if (!device.awaitDriver(guestTimeout)) {
                giveUp(machine, qmp, device, guestTimeout);
            }
        } finally {
            locks.give(name);
        }
    }

    private void giveUp(NodeMachine machine, Qmp qmp, NodeDevice device, Duration guestTimeout) throws IOException {
        String reason = "device %s: no driver of the guest has taken it within %d s"
                .formatted(device.name(), guestTimeout.toSeconds());
        try {
            takeOut(machine, qmp, device, Duration.ofSeconds(1));
        } catch (GuestHoldsException e) {
            throw new IOException(
                    reason + "; the machine still has it: detach it, or wait until the guest is up and has the driver",
                    e);
        }
        throw new IOException(reason + " and it was taken out again: look into the guest's kernel log");
    }

    /**
     * Takes a device out of a machine when the guest has let go of it.
     *
     * @throws GuestHoldsException where the guest does not let go; the machine still has it
     */
    void detach(String name, String deviceName, Duration guestTimeout) throws IOException {
        NodeMachine machine = machine(name);
        NodeDevice device = machine.devices().stream()
                .filter(candidate -> candidate.name().equals(deviceName))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("machine %s has no device %s, only %s"
                        .formatted(
                                name,
                                deviceName,
                                machine.devices().stream().map(NodeDevice::name).toList())));
        locks.take(name, "a change of its devices");
        try {
            takeOut(machine, machine.monitor(), device, guestTimeout);
        } finally {
            locks.give(name);
        }
    }

    private void takeOut(NodeMachine machine, Qmp qmp, NodeDevice device, Duration guestTimeout) throws IOException {
        try {
            HotPlug.unplug(qmp, device.name(), guestTimeout);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        machine.remove(device);
        discard(device);
    }

    private void discard(NodeDevice device) throws IOException {
        device.unserve();
        maker.remove(device);
        Files.deleteIfExists(file(device.name()));
    }

    private NodeMachine machine(String name) {
        NodeMachine machine = machines.get(name);
        if (machine == null) {
            throw new IllegalArgumentException("there is no machine %s, only %s".formatted(name, machines.keySet()));
        }
        return machine;
    }

    // ---- what is written down ----

    private Path file(String device) {
        return folder.resolve(device + SUFFIX);
    }

    private static byte[] bytes(String machine, DeviceOption option) {
        ObjectNode kept = option.into(JSON.createObjectNode().put("machine", machine));
        return JSON.writeValueAsString(kept).getBytes(StandardCharsets.UTF_8);
    }
}
