package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Place;
import java.util.regex.Pattern;

/** {@code <alias>}, {@code <address>} and {@code <boot>} of a device. */
final class PlaceXml {
    private static final Pattern ALIAS = Pattern.compile("[A-Za-z][A-Za-z0-9._-]{0,63}");

    private PlaceXml() {}

    static Place read(ElementReader in) throws DomainException {
        Place place = Place.NONE;
        ElementReader alias = in.child("alias");
        if (alias != null) {
            String name = alias.required("name");
            if (!ALIAS.matcher(name).matches()) {
                throw alias.refuseAttribute(
                        "name",
                        "\"" + name + "\" cannot be a device's id in QEMU",
                        "use a letter, then letters, digits, . _ -, at most 64 (with libvirt, begin it with ua-)");
            }
            place = place.withAlias(name);
        }
        ElementReader address = in.child("address");
        if (address != null) {
            place = place.withAddress(address(address));
        }
        ElementReader boot = in.child("boot");
        if (boot != null) {
            place = place.withBootOrder(boot.requiredNumber("order", 1, 9999));
        }
        return place;
    }

    private static Address address(ElementReader in) throws DomainException {
        return switch (in.attribute("type", "pci")) {
            case "pci" ->
                in.element().attribute("slot") == null && in.element().attribute("bus") == null
                        ? other(in)
                        : pci(in, 0);
            case "drive" ->
                new Address.Drive(
                        in.number("controller", 0, 0, 255),
                        in.number("bus", 0, 0, 255),
                        in.number("target", 0, 0, 255),
                        in.number("unit", 0, 0, 16383));
            default -> other(in);
        };
    }

    /** It comes back as a whole; its parts are no unknown ones. */
    private static Address other(ElementReader in) {
        in.readWhole();
        return new Address.Other(in.element());
    }

    /** A PCI address whose attributes stand in this element. */
    static Address.Pci pci(ElementReader in, int maxDomain) throws DomainException {
        return new Address.Pci(
                in.number("domain", 0, 0, maxDomain),
                in.number("bus", 0, 0, 255),
                in.number("slot", 0, 0, 31),
                in.number("function", 0, 0, 7),
                in.flag("multifunction", false, "on", "off"));
    }

    static void write(Place place, ElementWriter out) {
        if (place.bootOrder() > 0) {
            ElementWriter _ = out.child("boot").set("order", place.bootOrder());
        }
        if (place.alias() != null) {
            ElementWriter _ = out.child("alias").set("name", place.alias());
        }
        switch (place.address()) {
            case null -> {}
            case Address.Pci pci -> writePci(pci, out.child("address").set("type", "pci"));
            case Address.Drive drive -> {
                ElementWriter _ = out.child("address")
                        .set("type", "drive")
                        .set("controller", drive.controller())
                        .set("bus", drive.bus())
                        .set("target", drive.target())
                        .set("unit", drive.unit());
            }
            case Address.Other other -> {
                ElementWriter _ = out.add(other.element());
            }
        }
    }

    static void writePci(Address.Pci pci, ElementWriter out) {
        ElementWriter _ = out.set("domain", "0x%04x".formatted(pci.domain()))
                .set("bus", "0x%02x".formatted(pci.bus()))
                .set("slot", "0x%02x".formatted(pci.slot()))
                .set("function", "0x%x".formatted(pci.function()))
                .setIf(pci.multifunction(), "multifunction", "on");
    }
}
