package io.fairlead.qemu.domain;

/** What becomes of a machine whose guest ends. */
public record Lifecycle(Action onPoweroff, Action onReboot, Action onCrash) {
    /** libvirt's usual ones. */
    public static final Lifecycle DEFAULT = new Lifecycle(Action.DESTROY, Action.RESTART, Action.DESTROY);

    /** What is done. */
    public enum Action implements Word {
        DESTROY,
        RESTART,
        PRESERVE,
        RENAME_RESTART,
        COREDUMP_DESTROY,
        COREDUMP_RESTART
    }
}
