package io.fairlead.qemu.domain;

/**
 * Features of the board.
 *
 * @param acpi without it neither hot-plug nor a shutdown by the host's button works
 */
public record Features(boolean acpi, boolean apic, boolean pae, Toggle vmport, Toggle smm) {
    /** On, off, or QEMU's choice. */
    public enum Toggle implements Word {
        DEFAULT,
        ON,
        OFF
    }
}
