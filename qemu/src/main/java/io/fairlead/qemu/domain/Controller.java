package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/**
 * A controller.
 *
 * @param index its number among those of its type; for PCI the number of the bus behind it
 * @param model such as {@code pcie-root-port} or {@code virtio-scsi}; null for the type's usual one
 * @param queues of a SCSI adapter; 0 for QEMU's number
 * @param ports of a virtio serial adapter; 0 for QEMU's number
 */
public record Controller(Type type, int index, @Nullable String model, int queues, int ports, Place place, Kept kept)
        implements Device {
    /** What is behind it. */
    public enum Type implements Word {
        PCI,
        SCSI,
        VIRTIO_SERIAL,
        USB,
        SATA,
        IDE
    }

    @Override
    public String element() {
        return "controller";
    }

    @Override
    public Controller withPlace(Place value) {
        return new Controller(type, index, model, queues, ports, value, kept);
    }
}
