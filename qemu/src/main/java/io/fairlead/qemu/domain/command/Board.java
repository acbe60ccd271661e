package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;

/** The two boards of PCs: what their PCI root is called, and which slots are their own. */
enum Board {
    /** PCI Express: devices sit behind root ports, which is where they can be plugged. */
    Q35("pcie.0", 0x1f),
    /** Conventional PCI: all devices sit at the root. */
    I440FX("pci.0", 1);

    private final String rootBus;
    private final int ownSlot;

    Board(String rootBus, int ownSlot) {
        this.rootBus = rootBus;
        this.ownSlot = ownSlot;
    }

    static Board of(Domain domain) throws DomainException {
        String type = domain.boot().machineType();
        if (type.equals("q35") || type.startsWith("pc-q35-")) {
            return Q35;
        }
        if (type.equals("pc") || type.startsWith("pc-i440fx-")) {
            return I440FX;
        }
        throw new DomainException(
                0,
                domain.name(),
                "the machine type " + type + " is not known here",
                "use q35 or pc, also with a version");
    }

    String rootBus() {
        return rootBus;
    }

    /** A slot of the root that the board's own functions have, besides slot 0. */
    int ownSlot() {
        return ownSlot;
    }
}
