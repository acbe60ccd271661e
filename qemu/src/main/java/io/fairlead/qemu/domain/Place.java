package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/**
 * What every device may say of itself.
 *
 * @param alias the device's id in QEMU; made by Fairlead where it is missing
 * @param address where it is in the machine; chosen by Fairlead where it is missing
 * @param bootOrder 1 for what is tried first; 0 for a device that is not booted from
 */
public record Place(@Nullable String alias, @Nullable Address address, int bootOrder) {
    /** Nothing said. */
    public static final Place NONE = new Place(null, null, 0);

    /** The same with an alias. */
    public Place withAlias(String value) {
        return new Place(value, address, bootOrder);
    }

    /** The same at an address. */
    public Place withAddress(Address value) {
        return new Place(alias, value, bootOrder);
    }

    /** The same with a boot order. */
    public Place withBootOrder(int value) {
        return new Place(alias, address, value);
    }
}
