package io.fairlead.cli.libvirt;

import io.fairlead.node.DeviceOption;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.virtio.DeviceId;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * What has to be known of a device to describe it to QEMU. Immutable.
 *
 * @param key what a document calls it
 * @param deviceId virtio device id
 * @param socket where it is served
 * @param queues request queues of a disk, a SCSI host or a file system, pairs of a network card; QEMU would take one for
 *     each processor, and fail where the device has fewer
 * @param tag of a shared file system; null for the device's name
 * @param mac of a network card; null where QEMU or libvirt shall choose
 */
public record KnownDevice(
        String key,
        int deviceId,
        Path socket,
        int queues,
        @Nullable String tag,
        @Nullable String mac) {
    /** Whoever serves the device may be started again: QEMU looks for it so often. */
    private static final int RECONNECT_MILLIS = 1000;

    private static final int MAX_QUEUES = 1024;

    /** What a user may say of a device. */
    public static final String FORM =
            "NAME=TYPE[,socket=PATH][,queues=N][,tag=TAG][,mac=ADDRESS], with blk, net, scsi, fs, rng or vsock as type";

    public KnownDevice {
        if (queues < 1 || queues > MAX_QUEUES) {
            throw new IllegalArgumentException("%s: queues are 1 to %d".formatted(key, MAX_QUEUES));
        }
        if (socket.toString().length() > 107 || !socket.isAbsolute()) {
            throw new IllegalArgumentException(
                    "%s: the socket %s is no absolute path of at most 107 characters".formatted(key, socket));
        }
    }

    /**
     * A device as a user describes it.
     *
     * @param text of the form {@link #FORM}
     * @param sockets the folder of sockets whose path is not said; they are called NAME.sock
     * @throws IllegalArgumentException with what is wrong
     */
    public static KnownDevice parse(String text, Path sockets) {
        int equals = text.indexOf('=');
        int comma = text.indexOf(',');
        if (equals <= 0 || (comma >= 0 && comma < equals)) {
            throw new IllegalArgumentException("device '%s' is not %s".formatted(text, FORM));
        }
        String key = text.substring(0, equals);
        Map<String, String> pairs = DeviceOption.pairs("type=" + text.substring(equals + 1));
        int deviceId = DeviceOption.takeDeviceId(pairs, text);
        String socket = pairs.remove("socket");
        String queues = pairs.remove("queues");
        String tag = pairs.remove("tag");
        String mac = pairs.remove("mac");
        if (!pairs.isEmpty()) {
            throw new IllegalArgumentException("device '%s': %s is not known; expected %s"
                    .formatted(text, String.join(", ", pairs.keySet()), FORM));
        }
        Path where = socket != null ? Path.of(socket) : sockets.resolve(name(key) + ".sock");
        return new KnownDevice(key, deviceId, where.toAbsolutePath(), number(text, queues), tag, mac);
    }

    private static int number(String text, @Nullable String queues) {
        if (queues == null) {
            return 1;
        }
        OptionalInt value =
                queues.matches("[1-9][0-9]{0,3}") ? OptionalInt.of(Integer.parseInt(queues)) : OptionalInt.empty();
        return value.orElseThrow(() -> new IllegalArgumentException(
                "device '%s': queues=%s is not 1 to %d".formatted(text, queues, MAX_QUEUES)));
    }

    /** How many queues for requests, or pairs, a device has that has so many queues in all. */
    static int requestQueues(int deviceId, int queueCount) {
        int count = switch (deviceId) {
            case DeviceId.NET -> queueCount / 2;
            case DeviceId.SCSI -> queueCount - 2;
            case DeviceId.FS -> queueCount - 1;
            default -> queueCount;
        };
        return Math.max(1, count);
    }

    /** The last part of a path; a PCI function's colons stay. */
    private static String name(String key) {
        return key.substring(key.lastIndexOf('/') + 1);
    }

    /**
     * QEMU's device for it.
     *
     * @param id that it shall have
     * @throws IllegalArgumentException where QEMU has none that can be described by what is known
     */
    public VhostUserDevice model(String id) {
        return switch (deviceId) {
            case DeviceId.BLOCK ->
                VhostUserDevice.blk(id, socket).with("num-queues", queues).withReconnectMillis(RECONNECT_MILLIS);
            case DeviceId.NET -> {
                VhostUserDevice net = VhostUserDevice.net(id, socket).withReconnectMillis(RECONNECT_MILLIS);
                VhostUserDevice paired = queues > 1 ? net.withQueuePairs(queues) : net;
                yield mac == null ? paired : paired.with("mac", mac);
            }
            case DeviceId.SCSI ->
                VhostUserDevice.scsi(id, socket).with("num_queues", queues).withReconnectMillis(RECONNECT_MILLIS);
            case DeviceId.FS ->
                VhostUserDevice.fs(id, socket, tag != null ? tag : name(key)).with("num-request-queues", queues);
            case DeviceId.RNG -> VhostUserDevice.of(id, "vhost-user-rng-pci", socket);
            case DeviceId.VSOCK -> VhostUserDevice.of(id, "vhost-user-vsock-pci", socket);
            default ->
                throw new IllegalArgumentException(
                        "device %s: QEMU has no device of its own for the type %s, and libvirt cannot run the machine"
                                .formatted(key, DeviceId.name(deviceId)));
        };
    }
}
