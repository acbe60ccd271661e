package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import java.util.Set;

/** The two boards of PCs: what their PCI root is called, and which slots are their own. */
enum Board {
    /** PCI Express: devices sit behind root ports, which is where they can be plugged. */
    Q35("pcie.0", 0x1f, 2),
    /** Conventional PCI: all devices sit at the root. */
    I440FX("pci.0", 1, 1);

    private final String rootBus;
    private final int ownSlot;
    private final int secondFunction;

    Board(String rootBus, int ownSlot, int secondFunction) {
        this.rootBus = rootBus;
        this.ownSlot = ownSlot;
        this.secondFunction = secondFunction;
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

    /** A slot of the root, besides slot 0, where the board has functions of its own. */
    int ownSlot() {
        return ownSlot;
    }

    /** These functions; among the others there is room for the USB controller that comes with the chip. */
    Set<Integer> ownFunctions() {
        return Set.of(0, secondFunction, 3);
    }
}
