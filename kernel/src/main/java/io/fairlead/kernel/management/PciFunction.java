package io.fairlead.kernel.management;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A PCI function and its driver: given to vp-vdpa, a virtio function becomes a management device ({@code pci/ADDRESS}) of
 * the vDPA framework, whoever made the card; and back to the driver that takes it by itself. Any thread; changes take
 * root.
 */
public final class PciFunction {
    /** The driver that makes a management device of any modern virtio function. */
    public static final String VP_VDPA = "vp-vdpa";

    private static final Pattern ADDRESS = Pattern.compile("[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
    private static final String VIRTIO_VENDOR = "0x1af4";
    private static final int FIRST_VIRTIO_ID = 0x1000;
    private static final int LAST_VIRTIO_ID = 0x107f;

    private final SysfsBus bus;
    private final DeviceUses uses;
    private final String address;

    private PciFunction(SysfsBus bus, DeviceUses uses, String address) {
        this.bus = bus;
        this.uses = uses;
        this.address = address;
    }

    /**
     * A function of this machine.
     *
     * @param address as {@code 0000:00:05.0}, without the domain where it is 0, or as the management device {@code
     *     pci/0000:00:05.0}
     * @throws IllegalArgumentException where it is none of these
     * @throws IOException where there is no such function
     */
    public static PciFunction ofHost(String address) throws IOException {
        return in(Path.of("/sys/bus/pci"), Path.of("/dev"), Path.of("/proc"), address);
    }

    /** A function as it stands in folders that are laid out like {@code /sys/bus/pci}, {@code /dev}, {@code /proc}. */
    static PciFunction in(Path folder, Path dev, Path proc, String address) throws IOException {
        String full = address.toLowerCase(Locale.ROOT);
        if (full.startsWith("pci/")) {
            full = full.substring("pci/".length());
        }
        if (full.length() == "00:05.0".length()) {
            full = "0000:" + full;
        }
        if (!ADDRESS.matcher(full).matches()) {
            throw new IllegalArgumentException(
                    "'%s' is no address of a PCI function such as 0000:00:05.0".formatted(address));
        }
        SysfsBus bus = new SysfsBus(folder, "PCI function");
        if (!Files.exists(bus.device(full))) {
            throw new IOException("PCI function %s does not exist; virtio functions here: %s"
                    .formatted(full, orNone(virtioFunctions(bus))));
        }
        return new PciFunction(bus, new DeviceUses(dev, proc), full);
    }

    private static String orNone(List<String> names) {
        return names.isEmpty() ? "none" : String.join(", ", names);
    }

    private static List<String> virtioFunctions(SysfsBus bus) throws IOException {
        List<String> found = new ArrayList<>();
        for (String name : bus.devices()) {
            if (isVirtio(bus.device(name))) {
                found.add(name);
            }
        }
        return found;
    }

    private static boolean isVirtio(Path device) throws IOException {
        int id = Integer.decode(Sysfs.read(device.resolve("device")).orElse("0"));
        return Sysfs.read(device.resolve("vendor")).equals(Optional.of(VIRTIO_VENDOR))
                && id >= FIRST_VIRTIO_ID
                && id <= LAST_VIRTIO_ID;
    }

    /** As {@code 0000:00:05.0}. */
    public String address() {
        return address;
    }

    /** The driver that has it. */
    public Optional<String> driver() throws IOException {
        return bus.driver(address);
    }

    /** Whether an IOMMU stands between the function and memory, without which no guest's memory can be mapped for it. */
    public boolean hasIommu() {
        return Files.exists(bus.device(address).resolve("iommu_group"));
    }

    /**
     * Gives the function to a driver and keeps others from taking it; nothing where it has it. Where that fails, it has
     * the driver that it had before.
     *
     * @param driver {@link #VP_VDPA}, or a vendor's that makes a management device
     * @param withoutIommu also where there is no IOMMU: the device is then of use for the host itself only
     * @throws IOException where somebody uses what its driver made of it, there is no IOMMU, or the driver is not there or
     *     refuses the function
     */
    public void bind(String driver, boolean withoutIommu) throws IOException {
        if (driver().equals(Optional.of(driver))) {
            return;
        }
        if (driver.equals(VP_VDPA) && !isVirtio(bus.device(address))) {
            throw new IOException("PCI function %s is no virtio function: vp-vdpa takes only those (here: %s)"
                    .formatted(address, orNone(virtioFunctions(bus))));
        }
        if (!hasIommu() && !withoutIommu) {
            throw new IOException(("PCI function %s is behind no IOMMU, so vhost_vdpa could not map a machine's memory"
                            + " for it; switch the IOMMU on (firmware, and intel_iommu=on on the kernel's command line;"
                            + " AMD's is on by itself), or bind it all the same for the host's own use")
                    .formatted(address));
        }
        requireUnused();
        bus.bind(address, driver, "modprobe " + driver.replace('-', '_'));
    }

    /**
     * Gives the function back to the driver that takes it by itself, the vendor's.
     *
     * @return that driver
     * @throws IOException where somebody uses what its driver made of it, or no driver takes it
     */
    public String release() throws IOException {
        requireUnused();
        bus.unbind(address);
        Optional<String> driver = bus.probe(address);
        return driver.orElseThrow(() -> new IOException(
                "PCI function %s has no driver now: none that is loaded takes it; load its vendor's (modprobe %s)"
                        .formatted(address, modalias())));
    }

    private String modalias() {
        try {
            return Sysfs.read(bus.device(address).resolve("modalias")).orElse("MODULE");
        } catch (IOException e) {
            return "MODULE";
        }
    }

    private void requireUnused() throws IOException {
        List<String> found = uses.of(bus.existing(address));
        if (!found.isEmpty()) {
            throw new IOException("PCI function %s is in use: %s; stop who uses it first"
                    .formatted(address, String.join("; ", found)));
        }
    }
}
