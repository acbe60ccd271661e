package io.fairlead.qemu.domain;

import io.fairlead.qemu.domain.xml.XmlElement;

/** Where a device is in the machine. */
public sealed interface Address {
    /**
     * A PCI function.
     *
     * @param domain always 0 in a guest; a host's function may have another
     * @param bus the index of the controller that it is behind; 0 for the root
     * @param slot 0 to 31
     * @param function 0 to 7
     * @param multifunction whether slot's function 0 says that there are others
     */
    record Pci(int domain, int bus, int slot, int function, boolean multifunction) implements Address {
        public Pci {
            if (domain < 0
                    || domain > 0xffff
                    || bus < 0
                    || bus > 0xff
                    || slot < 0
                    || slot > 31
                    || function < 0
                    || function > 7) {
                throw new IllegalArgumentException(
                        "Not a PCI address: %x:%x:%x.%x".formatted(domain, bus, slot, function));
            }
        }

        /** As the kernel writes it, {@code 0000:06:02.0}. */
        @Override
        public String toString() {
            return "%04x:%02x:%02x.%x".formatted(domain, bus, slot, function);
        }
    }

    /** A disk's place at its controller (for SATA the unit, for SCSI target and unit). */
    record Drive(int controller, int bus, int target, int unit) implements Address {}

    /** A place that is left to QEMU; the element comes back when the document is printed. */
    record Other(XmlElement element) implements Address {}
}
