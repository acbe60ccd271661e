package io.fairlead.qemu.domain;

/**
 * A keyboard or a pointing device.
 */
public record Input(Kind kind, Bus bus, Place place, Kept kept) implements Device {
    /** What it is. */
    public enum Kind implements Word {
        TABLET,
        MOUSE,
        KEYBOARD
    }

    /** How the guest reaches it. */
    public enum Bus implements Word {
        USB,
        PS2,
        VIRTIO
    }

    @Override
    public String element() {
        return "input";
    }

    @Override
    public Input withPlace(Place value) {
        return new Input(kind, bus, value, kept);
    }
}
