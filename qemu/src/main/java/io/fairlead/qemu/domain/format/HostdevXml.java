package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.PciHostDevice;
import io.fairlead.qemu.domain.VdpaHostDevice;

/** {@code <hostdev>}. */
final class HostdevXml {
    private HostdevXml() {}

    static Device read(ElementReader in) throws DomainException {
        if (!in.attribute("mode", "subsystem").equals("subsystem")) {
            throw in.refuseAttribute("mode", "only devices of a subsystem are taken", "use mode='subsystem'");
        }
        return switch (in.required("type")) {
            case "vdpa" -> new VdpaHostDevice(VdpaXml.read(in), PlaceXml.read(in), in.kept());
            case "pci" -> pci(in);
            case String other ->
                throw in.refuseAttribute(
                        "type", "host devices of type \"" + other + "\" are not taken", "use pci or vdpa");
        };
    }

    private static PciHostDevice pci(ElementReader in) throws DomainException {
        ElementReader driver = in.child("driver");
        PciHostDevice.Driver by =
                driver == null ? PciHostDevice.Driver.VFIO : driver.choice("name", PciHostDevice.Driver.VFIO);
        boolean managed = in.yesNo("managed", false);
        if (by == PciHostDevice.Driver.VDPA && !managed) {
            throw in.refuse(
                    "a vDPA device is made of the function for the machine's lifetime",
                    "use managed='yes', or <hostdev type='vdpa'> for a device that is there");
        }
        return new PciHostDevice(
                PlaceXml.pci(in.requiredChild("source").requiredChild("address"), 0xffff),
                managed,
                by,
                PlaceXml.read(in),
                in.kept());
    }

    static ElementWriter write(PciHostDevice device) {
        ElementWriter out = new ElementWriter("hostdev")
                .set("mode", "subsystem")
                .set("type", "pci")
                .set("managed", device.managed() ? "yes" : "no");
        ElementWriter _ = out.child("driver").set("name", device.driver().word());
        PlaceXml.writePci(device.source(), out.child("source").child("address"));
        PlaceXml.write(device.place(), out);
        return out.keep(device.kept());
    }

    static ElementWriter write(VdpaHostDevice device) {
        ElementWriter out =
                new ElementWriter("hostdev").set("mode", "subsystem").set("type", "vdpa");
        VdpaXml.write(device.source(), out);
        PlaceXml.write(device.place(), out);
        return out.keep(device.kept());
    }
}
