package io.fairlead.qemu.domain;

/**
 * The memory balloon.
 */
public record Balloon(Model model, boolean freePageReporting, Place place, Kept kept) implements Device {
    /** What the guest has. */
    public enum Model implements Word {
        VIRTIO,
        NONE
    }

    @Override
    public String element() {
        return "memballoon";
    }

    @Override
    public Balloon withPlace(Place value) {
        return new Balloon(model, freePageReporting, value, kept);
    }
}
