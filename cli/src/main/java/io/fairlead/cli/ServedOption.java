package io.fairlead.cli;

import io.fairlead.kernel.vhostvdpa.VhostVdpaManagement;
import io.fairlead.node.DeviceOption;
import io.fairlead.vhostuser.client.VhostUserManagement;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One {@code --device} of {@code fairlead serve}: as of other commands, but for where the device is presented.
 *
 * @param socket where its vhost-user socket is made; null where it is presented to the kernel
 * @param vduse its name in the kernel; null where it is presented at a socket
 */
record ServedOption(
        String name,
        int deviceId,
        @Nullable Path socket,
        @Nullable String vduse,
        Map<String, String> attributes) {
    private static final String VDUSE = "vduse";

    /** Of a device of ours: the host's kernel takes rings as large as they are offered. */
    private static final String VDUSE_QUEUE_SIZE = "256";

    /** @throws IllegalArgumentException with what is wrong and what is expected */
    static ServedOption parse(String text) {
        Map<String, String> pairs = DeviceOption.pairs(text);
        if (pairs.containsKey(VDUSE) == pairs.containsKey("socket")) {
            throw new IllegalArgumentException(
                    "device '%s': one of socket=... (for machines) and vduse=... (for this host's kernel) is needed"
                            .formatted(text));
        }
        if (!pairs.containsKey(VDUSE)) {
            DeviceOption option = DeviceOption.parse(text);
            return new ServedOption(option.name(), option.deviceId(), option.socket(), null, option.attributes());
        }
        int deviceId = DeviceOption.takeDeviceId(pairs, text);
        String name = DeviceOption.take(pairs, "name", text);
        String vduse = DeviceOption.take(pairs, VDUSE, text);
        if (!pairs.containsKey(VhostUserManagement.BACKEND) && !pairs.containsKey(VhostVdpaManagement.VHOST_VDPA)) {
            pairs.putIfAbsent("queue-size", VDUSE_QUEUE_SIZE);
        }
        return new ServedOption(name, deviceId, null, vduse, pairs);
    }
}
