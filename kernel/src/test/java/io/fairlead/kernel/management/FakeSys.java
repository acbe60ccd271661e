package io.fairlead.kernel.management;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Folders laid out like a bus of {@code /sys/bus}, {@code /dev} and {@code /proc}; nothing happens on what is written. */
final class FakeSys {
    final Path bus;
    final Path dev;
    final Path proc;
    private final Path devices;

    FakeSys(Path folder) throws IOException {
        bus = Files.createDirectories(folder.resolve("bus"));
        dev = Files.createDirectories(folder.resolve("dev"));
        proc = Files.createDirectories(folder.resolve("proc"));
        devices = Files.createDirectories(folder.resolve("real"));
        Files.createDirectories(bus.resolve("devices"));
        Files.createDirectories(bus.resolve("drivers"));
        Files.createFile(bus.resolve("drivers_probe"));
    }

    /** A device; the bus has a link to its folder, as in the kernel. */
    Path device(String name) throws IOException {
        Path device = Files.createDirectories(devices.resolve(name));
        Files.writeString(device.resolve("driver_override"), "");
        Files.createSymbolicLink(bus.resolve("devices").resolve(name), device);
        return device;
    }

    Path driver(String name) throws IOException {
        Path driver = Files.createDirectories(bus.resolve("drivers").resolve(name));
        Files.writeString(driver.resolve("bind"), "");
        Files.writeString(driver.resolve("unbind"), "");
        return driver;
    }

    void bound(String device, String driver) throws IOException {
        Files.createSymbolicLink(
                devices.resolve(device).resolve("driver"),
                bus.resolve("drivers").resolve(driver));
    }

    /** Something below a device that belongs to a subsystem. */
    Path child(String device, String path, String subsystem) throws IOException {
        Path child = Files.createDirectories(devices.resolve(device).resolve(path));
        Files.createSymbolicLink(child.resolve("subsystem"), Path.of("../../class/" + subsystem));
        return child;
    }

    /** A process that has a file open. */
    void open(int process, String program, String path) throws IOException {
        Path descriptors =
                Files.createDirectories(proc.resolve(Integer.toString(process)).resolve("fd"));
        Files.writeString(descriptors.resolveSibling("comm"), program + "\n");
        Files.createSymbolicLink(descriptors.resolve("3"), Path.of("socket:[17]"));
        Files.createSymbolicLink(descriptors.resolve("4"), Path.of(path));
    }

    VdpaBus vdpaBus() {
        return VdpaBus.in(bus, dev, proc);
    }
}
