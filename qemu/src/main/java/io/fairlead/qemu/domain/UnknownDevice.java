package io.fairlead.qemu.domain;

import io.fairlead.qemu.domain.xml.XmlElement;

/** A device that Fairlead does not know: the machine does not have it, the document keeps it. */
public record UnknownDevice(XmlElement xml) implements Device {
    @Override
    public String element() {
        return xml.name().local();
    }

    @Override
    public Place place() {
        return Place.NONE;
    }

    @Override
    public Device withPlace(Place place) {
        return this;
    }

    @Override
    public Kept kept() {
        return Kept.NOTHING;
    }
}
