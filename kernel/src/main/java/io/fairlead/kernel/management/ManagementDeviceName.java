package io.fairlead.kernel.management;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel calls a management device.
 *
 * @param bus such as {@code pci}; null for those without a bus, such as {@code vduse}
 * @param device on that bus, such as {@code 0000:00:05.0}
 */
public record ManagementDeviceName(@Nullable String bus, String device) {
    /**
     * Reads a name as {@code vdpa mgmtdev show} prints it: {@code BUS/DEVICE} or {@code DEVICE}.
     *
     * @throws IllegalArgumentException where it is neither
     */
    public static ManagementDeviceName parse(String text) {
        int slash = text.indexOf('/');
        String bus = slash < 0 ? null : text.substring(0, slash);
        String device = text.substring(slash + 1);
        if (device.isEmpty() || device.indexOf('/') >= 0 || (bus != null && bus.isEmpty())) {
            throw new IllegalArgumentException(
                    "'%s' is no name of a management device such as vduse or pci/0000:00:05.0".formatted(text));
        }
        return new ManagementDeviceName(bus, device);
    }

    /** The bus, where there is one. */
    public Optional<String> busName() {
        return Optional.ofNullable(bus);
    }

    @Override
    public String toString() {
        return bus == null ? device : bus + "/" + device;
    }
}
