package io.fairlead.qemu.domain;

/**
 * A watchdog.
 *
 * @param model {@code i6300esb}, {@code ib700} or {@code itco}
 */
public record Watchdog(String model, Action action, Place place, Kept kept) implements Device {
    /** What is done when the guest does not answer. */
    public enum Action implements Word {
        RESET,
        SHUTDOWN,
        POWEROFF,
        PAUSE,
        NONE,
        DUMP,
        INJECT_NMI
    }

    @Override
    public String element() {
        return "watchdog";
    }

    @Override
    public Watchdog withPlace(Place value) {
        return new Watchdog(model, action, value, kept);
    }
}
