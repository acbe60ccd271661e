package io.fairlead.qemu.domain;

/**
 * A vDPA device of any virtio type.
 */
public record VdpaHostDevice(VdpaSource source, Place place, Kept kept) implements Device {

    @Override
    public String element() {
        return "hostdev";
    }

    @Override
    public VdpaHostDevice withPlace(Place value) {
        return new VdpaHostDevice(source, value, kept);
    }
}
