package io.fairlead.qemu;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A device of a machine whose back-end is behind a vhost-user socket. Immutable.
 *
 * @param id unique among the machine's devices; also the device's id in QMP
 * @param driver QEMU's device model, such as {@code vhost-user-blk-pci}; {@code virtio-net-pci} for a network card
 * @param socket where the back-end listens
 * @param reconnectMillis how long QEMU waits before it connects again to a back-end that went away; 0 for never
 * @param netdevQueues queue pairs of a network card; 0 for a device that is none
 * @param properties the device's properties, such as {@code num-queues} or {@code bootindex}
 */
public record VhostUserDevice(
        String id, String driver, Path socket, int reconnectMillis, int netdevQueues, Map<String, String> properties) {

    public VhostUserDevice {
        if (!id.matches("[A-Za-z][A-Za-z0-9._-]*")) {
            throw new IllegalArgumentException("A device's id is a letter and then letters, digits, . _ -: " + id);
        }
        if (reconnectMillis < 0 || netdevQueues < 0) {
            throw new IllegalArgumentException("A device's times and counts are not negative");
        }
        properties = Map.copyOf(properties);
    }

    /** A disk. */
    public static VhostUserDevice blk(String id, Path socket) {
        return of(id, "vhost-user-blk-pci", socket);
    }

    /** A network card with one queue pair. */
    public static VhostUserDevice net(String id, Path socket) {
        return new VhostUserDevice(id, "virtio-net-pci", socket, 0, 1, Map.of());
    }

    /** A SCSI host adapter. */
    public static VhostUserDevice scsi(String id, Path socket) {
        return of(id, "vhost-user-scsi-pci", socket);
    }

    /** A shared file system that the guest mounts by its tag. */
    public static VhostUserDevice fs(String id, Path socket, String tag) {
        return of(id, "vhost-user-fs-pci", socket).with("tag", tag);
    }

    /** A device of any model that takes one chardev. */
    public static VhostUserDevice of(String id, String driver, Path socket) {
        return new VhostUserDevice(id, driver, socket, 0, 0, Map.of());
    }

    /** The same with a property set. */
    public VhostUserDevice with(String property, String value) {
        Map<String, String> changed = new LinkedHashMap<>(properties);
        changed.put(property, value);
        return new VhostUserDevice(id, driver, socket, reconnectMillis, netdevQueues, changed);
    }

    /** The same with a property set. */
    public VhostUserDevice with(String property, long value) {
        return with(property, Long.toString(value));
    }

    /** The same, connecting again to a back-end that went away. */
    public VhostUserDevice withReconnectMillis(int millis) {
        return new VhostUserDevice(id, driver, socket, millis, netdevQueues, properties);
    }

    /** The same with so many queue pairs; for a network card only. */
    public VhostUserDevice withQueuePairs(int pairs) {
        if (netdevQueues == 0) {
            throw new IllegalArgumentException(driver + " is not a network card; its queues are a property");
        }
        VhostUserDevice changed = new VhostUserDevice(id, driver, socket, reconnectMillis, pairs, properties);
        // One vector a queue, one for the control queue, one for configuration changes.
        return pairs > 1 ? changed.with("mq", "on").with("vectors", 2L * pairs + 2) : changed;
    }

    /** QEMU's options for this device. */
    List<String> arguments(QemuVersion version) {
        List<String> arguments = new ArrayList<>();
        String chardev = chardevId(id);
        arguments.add("-chardev");
        arguments.add("socket,id=" + chardev + ",path=" + Options.escape(socket.toString()) + reconnect(version));
        StringBuilder device =
                new StringBuilder(Options.escape(driver)).append(",id=").append(id);
        if (netdevQueues > 0) {
            arguments.add("-netdev");
            arguments.add("vhost-user,id=" + netdevId(id) + ",chardev=" + chardev + ",queues=" + netdevQueues);
            device.append(",netdev=").append(netdevId(id));
        } else {
            device.append(",chardev=").append(chardev);
        }
        properties.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .forEach(property -> device.append(',')
                        .append(property.getKey())
                        .append('=')
                        .append(Options.escape(property.getValue())));
        arguments.add("-device");
        arguments.add(device.toString());
        return arguments;
    }

    /**
     * QEMU's options for this device, with the device itself in JSON: QEMU makes those after the ones that are not, and in
     * their order.
     */
    public List<String> jsonArguments(QemuVersion version) {
        List<String> arguments = new ArrayList<>();
        String chardev = chardevId(id);
        arguments.add("-chardev");
        arguments.add("socket,id=" + chardev + ",path=" + Options.escape(socket.toString()) + reconnect(version));
        Map<String, Object> device = new LinkedHashMap<>();
        device.put("driver", driver);
        device.put("id", id);
        if (netdevQueues > 0) {
            arguments.add("-netdev");
            arguments.add(Options.json(
                    Map.of("type", "vhost-user", "id", netdevId(id), "chardev", chardev, "queues", netdevQueues)));
            device.put("netdev", netdevId(id));
        } else {
            device.put("chardev", chardev);
        }
        device.putAll(Options.typed(properties));
        arguments.add("-device");
        arguments.add(Options.json(device));
        return arguments;
    }

    private String reconnect(QemuVersion version) {
        StringBuilder option = new StringBuilder();
        reconnectOption(version)
                .forEach((key, value) ->
                        option.append(',').append(key).append('=').append(value));
        return option.toString();
    }

    /** How its chardev says when to connect again: one option, or none for never. */
    Map<String, Integer> reconnectOption(QemuVersion version) {
        if (reconnectMillis == 0) {
            return Map.of();
        }
        // QEMU 9.2 brought milliseconds; the option in seconds was removed later.
        return version.isAtLeast(9, 2)
                ? Map.of("reconnect-ms", reconnectMillis)
                : Map.of("reconnect", Math.max(1, Math.ceilDiv(reconnectMillis, 1000)));
    }

    /** What the chardev of a device is called in QEMU. */
    static String chardevId(String id) {
        return "char-" + id;
    }

    /** What the netdev of a network card is called in QEMU. */
    static String netdevId(String id) {
        return "net-" + id;
    }
}
