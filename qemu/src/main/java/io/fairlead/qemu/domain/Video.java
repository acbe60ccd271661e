package io.fairlead.qemu.domain;

/**
 * A graphics card.
 *
 * @param model {@code vga}, {@code cirrus}, {@code virtio}, {@code bochs}, {@code qxl}, {@code vmvga}, {@code ramfb}, {@code none}
 * @param heads screens; 0 for QEMU's number
 */
public record Video(String model, int heads, Place place, Kept kept) implements Device {

    @Override
    public String element() {
        return "video";
    }

    @Override
    public Video withPlace(Place value) {
        return new Video(model, heads, value, kept);
    }
}
