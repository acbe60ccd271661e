package io.fairlead.qemu;

/** What runs the guest's processors. */
public enum Accelerator {
    /** Emulation: runs everywhere. */
    TCG("tcg,thread=multi"),
    /** The kernel's hypervisor. */
    KVM("kvm");

    private final String option;

    Accelerator(String option) {
        this.option = option;
    }

    /** The value of QEMU's {@code -accel}. */
    public String option() {
        return option;
    }
}
