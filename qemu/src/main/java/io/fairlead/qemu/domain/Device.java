package io.fairlead.qemu.domain;

/** A device of a machine: an element in {@code <devices>}. Immutable. */
public sealed interface Device
        permits Disk,
                NetworkInterface,
                Filesystem,
                CharacterDevice,
                VncDisplay,
                Video,
                Rng,
                Input,
                Balloon,
                Controller,
                Vsock,
                Watchdog,
                PciHostDevice,
                VdpaHostDevice,
                UnknownDevice {
    /** The element's name, such as {@code disk}. */
    String element();

    Place place();

    /** The same device elsewhere. */
    Device withPlace(Place place);

    /** What has no effect. */
    Kept kept();
}
