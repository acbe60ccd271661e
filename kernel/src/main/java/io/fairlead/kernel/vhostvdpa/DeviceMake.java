package io.fairlead.kernel.vhostvdpa;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Who made a device of the kernel, as {@code /sys} tells it: the numbers of the PCI function behind it. */
final class DeviceMake {
    private DeviceMake() {}

    /**
     * Vendor, device and their subsystem numbers, such as {@code pci 19e5:0206 19e5:0051}.
     *
     * @param bus {@code /sys/bus/vdpa}
     * @param node the name of its character device
     * @return empty where no PCI function is behind it
     */
    static String of(Path bus, String node) throws IOException {
        Path devices = bus.resolve("devices");
        if (!Files.isDirectory(devices)) {
            return "";
        }
        try (Stream<Path> all = Files.list(devices)) {
            for (Path device : all.toList()) {
                if (Files.exists(device.resolve(node))) {
                    return ofFunction(device.toRealPath());
                }
            }
        }
        return "";
    }

    private static String ofFunction(Path device) throws IOException {
        for (Path at = device; at != null; at = at.getParent()) {
            if (Files.exists(at.resolve("subsystem_vendor"))) {
                return "pci %s:%s %s:%s"
                        .formatted(
                                number(at, "vendor"),
                                number(at, "device"),
                                number(at, "subsystem_vendor"),
                                number(at, "subsystem_device"));
            }
        }
        return "";
    }

    private static String number(Path function, String attribute) throws IOException {
        try {
            String text = Files.readString(function.resolve(attribute)).strip();
            return text.startsWith("0x") ? text.substring(2) : text;
        } catch (NoSuchFileException e) {
            return "";
        }
    }
}
