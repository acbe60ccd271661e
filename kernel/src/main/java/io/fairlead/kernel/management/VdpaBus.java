package io.fairlead.kernel.management;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The kernel's vdpa bus, as sysfs shows it: the vDPA devices there are and the bus driver that has each (vhost_vdpa for
 * a character device, virtio_vdpa for the host's own use). Any thread; changes take root.
 */
public final class VdpaBus {
    /** The bus driver that makes a character device of a vDPA device. */
    public static final String VHOST_VDPA = "vhost_vdpa";
    /** The bus driver that lets the host itself use a vDPA device. */
    public static final String VIRTIO_VDPA = "virtio_vdpa";

    private static final String CHARACTER_DEVICE = "vhost-vdpa-";

    private final SysfsBus bus;
    private final Path dev;
    private final DeviceUses uses;

    private VdpaBus(Path folder, Path dev, Path proc) {
        bus = new SysfsBus(folder, "vDPA device");
        this.dev = dev;
        uses = new DeviceUses(dev, proc);
    }

    /** The bus of this machine's kernel. */
    public static VdpaBus ofHost() {
        return new VdpaBus(Path.of("/sys/bus/vdpa"), Path.of("/dev"), Path.of("/proc"));
    }

    /** A bus as it stands in folders that are laid out like {@code /sys/bus/vdpa}, {@code /dev} and {@code /proc}. */
    static VdpaBus in(Path folder, Path dev, Path proc) {
        return new VdpaBus(folder, dev, proc);
    }

    /** Whether the kernel has vDPA. */
    public boolean isThere() {
        return Files.isDirectory(bus.folder());
    }

    /** The names of all vDPA devices, sorted; none where the kernel has no vdpa bus. */
    public List<String> devices() throws IOException {
        return bus.devices();
    }

    /** The bus driver that has a device; empty where none has it or there is no such device. */
    public Optional<String> driver(String device) throws IOException {
        return bus.driver(device);
    }

    /**
     * The character device of a device that vhost_vdpa has, such as {@code /dev/vhost-vdpa-0}. The number is the next free
     * one when the driver takes the device: it says nothing of which device it is.
     */
    public Optional<Path> characterDevice(String device) throws IOException {
        return Sysfs.names(bus.device(device)).stream()
                .filter(name -> name.startsWith(CHARACTER_DEVICE))
                .map(dev::resolve)
                .findFirst();
    }

    /**
     * Who uses a device, in words: processes that have its character device open, disks that are mounted, network
     * interfaces that are up. Empty where nobody does; complete for root only.
     *
     * @throws IOException where there is no such device
     */
    public List<String> uses(String device) throws IOException {
        return uses.of(bus.existing(device));
    }

    /**
     * Gives a device to {@link #VHOST_VDPA} or {@link #VIRTIO_VDPA}, and keeps the other from taking it. Nothing where it
     * has it. Where that fails, the device has the driver that it had before.
     *
     * @throws IOException where there is no such device or driver, somebody uses the device, or the driver refuses it
     */
    public void bind(String device, String driver) throws IOException {
        if (!driver.equals(VHOST_VDPA) && !driver.equals(VIRTIO_VDPA)) {
            throw new IllegalArgumentException(
                    "unknown bus driver '%s'; there are %s and %s".formatted(driver, VHOST_VDPA, VIRTIO_VDPA));
        }
        if (driver(device).equals(Optional.of(driver))) {
            return;
        }
        requireUnused(device, "bind it to " + driver);
        bus.bind(device, driver, "modprobe " + driver);
    }

    /**
     * Takes a device from its driver; nothing where it has none.
     *
     * @throws IOException where there is no such device or somebody uses it
     */
    public void unbind(String device) throws IOException {
        requireUnused(device, "unbind it");
        bus.unbind(device);
    }

    /**
     * @param purpose for the message, such as {@code delete it}
     * @throws IOException where somebody uses the device: says who
     */
    public void requireUnused(String device, String purpose) throws IOException {
        List<String> found = uses(device);
        if (!found.isEmpty()) {
            throw new IOException("vDPA device %s is in use, cannot %s: %s; stop who uses it first"
                    .formatted(device, purpose, String.join("; ", found)));
        }
    }
}
