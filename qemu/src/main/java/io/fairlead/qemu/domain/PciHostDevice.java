package io.fairlead.qemu.domain;

/**
 * A PCI function of the host.
 *
 * @param source the function on the host
 * @param managed whether the function is bound to the driver for the machine's lifetime
 * @param driver what the host uses it by
 */
public record PciHostDevice(Address.Pci source, boolean managed, Driver driver, Place place, Kept kept)
        implements Device {
    /** What the host uses it by. */
    public enum Driver implements Word {
        /** The function goes to the guest as it is. */
        VFIO,
        /** A vDPA device is made of it. */
        VDPA
    }

    @Override
    public String element() {
        return "hostdev";
    }

    @Override
    public PciHostDevice withPlace(Place value) {
        return new PciHostDevice(source, managed, driver, value, kept);
    }
}
