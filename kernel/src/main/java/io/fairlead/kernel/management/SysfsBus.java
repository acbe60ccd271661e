package io.fairlead.kernel.management;

import io.fairlead.linux.Errno;
import io.fairlead.linux.LinuxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A bus of the kernel by its folder in {@code /sys/bus}, whose devices can be given to a driver by name
 * ({@code driver_override}). The caller has looked whether somebody uses the device.
 */
final class SysfsBus {
    /** Written to {@code driver_override}, lets any driver have the device. */
    private static final String NO_OVERRIDE = "\n";

    private final Path folder;
    private final String kind;

    /** @param kind of its devices, for messages, such as {@code vDPA device} */
    SysfsBus(Path folder, String kind) {
        this.folder = folder;
        this.kind = kind;
    }

    Path folder() {
        return folder;
    }

    List<String> devices() throws IOException {
        return Sysfs.names(folder.resolve("devices"));
    }

    /** The device's folder; may not be there. */
    Path device(String name) {
        return folder.resolve("devices").resolve(name);
    }

    Optional<String> driver(String name) throws IOException {
        return Sysfs.link(device(name).resolve("driver"));
    }

    /** The device's own folder, behind the bus's link to it. */
    Path existing(String name) throws IOException {
        if (name.isEmpty() || name.contains("/") || name.startsWith(".") || !Files.exists(device(name))) {
            List<String> there = devices();
            throw new IOException("%s %s does not exist; there %s"
                    .formatted(kind, name, there.isEmpty() ? "is none" : "are: " + String.join(", ", there)));
        }
        return device(name).toRealPath();
    }

    /**
     * Gives a device to a driver, and keeps others from taking it. Where the driver refuses, the device has the driver that
     * it had before.
     *
     * @param load how the driver is loaded, for messages, such as {@code modprobe vhost_vdpa}
     */
    void bind(String name, String driver, String load) throws IOException {
        Path device = existing(name);
        Optional<String> before = driver(name);
        if (before.equals(Optional.of(driver))) {
            return;
        }
        if (!Files.isDirectory(folder.resolve("drivers").resolve(driver))) {
            throw new IOException(
                    "cannot bind %s %s: the driver %s is not loaded; load it: %s".formatted(kind, name, driver, load));
        }
        String override = override(device);
        write(device.resolve("driver_override"), driver, "bind " + name);
        try {
            if (before.isPresent()) {
                write(driverFile(before.get(), "unbind"), name, "take %s from %s".formatted(name, before.get()));
            }
            write(driverFile(driver, "bind"), name, "bind %s to %s".formatted(name, driver));
        } catch (IOException e) {
            giveBack(name, device, override, before, e);
            throw e;
        }
        if (!driver(name).equals(Optional.of(driver))) {
            IOException refused = new IOException("%s %s: the driver %s did not take it".formatted(kind, name, driver));
            giveBack(name, device, override, before, refused);
            throw refused;
        }
    }

    /** What to write for the override that a device has. */
    private static String override(Path device) throws IOException {
        String override = Sysfs.read(device.resolve("driver_override")).orElse("");
        return override.isEmpty() || override.equals("(null)") ? NO_OVERRIDE : override;
    }

    private void giveBack(String name, Path device, String override, Optional<String> before, IOException cause) {
        try {
            Sysfs.write(device.resolve("driver_override"), override);
            if (before.isPresent() && driver(name).isEmpty()) {
                Sysfs.write(driverFile(before.get(), "bind"), name);
            }
        } catch (IOException e) {
            cause.addSuppressed(e);
        }
    }

    /** Takes a device from its driver; nothing where it has none. Any driver may take it from now on. */
    void unbind(String name) throws IOException {
        Path device = existing(name);
        Optional<String> before = driver(name);
        write(device.resolve("driver_override"), NO_OVERRIDE, "unbind " + name);
        if (before.isPresent()) {
            write(driverFile(before.get(), "unbind"), name, "take %s from %s".formatted(name, before.get()));
        }
    }

    /** Has the kernel look for a driver that takes a device. */
    Optional<String> probe(String name) throws IOException {
        Path device = existing(name);
        write(device.resolve("driver_override"), NO_OVERRIDE, "release " + name);
        write(folder.resolve("drivers_probe"), name, "find a driver for " + name);
        return driver(name);
    }

    private Path driverFile(String driver, String file) {
        return folder.resolve("drivers").resolve(driver).resolve(file);
    }

    private void write(Path attribute, String value, String what) throws IOException {
        try {
            Sysfs.write(attribute, value);
        } catch (LinuxException e) {
            String remedy = switch (e.errno()) {
                case Errno.EPERM, Errno.EACCES -> "; it takes root";
                case Errno.EROFS -> "; /sys is mounted read-only here: run this on the host itself";
                case Errno.ENODEV -> "; the driver refuses the device: see the kernel's log (dmesg)";
                case Errno.EBUSY -> "; somebody uses it";
                default -> "";
            };
            throw new IOException("cannot %s: %s%s".formatted(what, e.getMessage(), remedy), e);
        }
    }
}
