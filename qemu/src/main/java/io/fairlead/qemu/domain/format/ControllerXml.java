package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.DomainException;
import java.util.regex.Pattern;

/** {@code <controller>}. */
final class ControllerXml {
    private static final Pattern MODEL = Pattern.compile("[a-z0-9-]{1,40}");

    private ControllerXml() {}

    static boolean isKnown(ElementReader in) {
        String type = in.element().attribute("type");
        for (Controller.Type known : Controller.Type.values()) {
            if (known.word().equals(type)) {
                return true;
            }
        }
        return false;
    }

    static Controller read(ElementReader in, int nextIndex) throws DomainException {
        Controller.Type type = in.choice("type", Controller.Type.PCI);
        String model = in.attribute("model");
        if (model != null && !MODEL.matcher(model).matches()) {
            throw in.refuseAttribute("model", "\"" + model + "\" is not a model", "leave it out for the usual one");
        }
        // How QEMU's slots of a root port are numbered; Fairlead numbers them itself.
        in.quiet("target");
        ElementReader name = in.child("model");
        if (name != null) {
            name.quiet("name");
        }
        ElementReader driver = in.child("driver");
        return new Controller(
                type,
                in.number("index", nextIndex, 0, 255),
                model,
                driver == null ? 0 : driver.number("queues", 0, 1, 1024),
                in.number("ports", 0, 1, 31),
                PlaceXml.read(in),
                in.kept());
    }

    static ElementWriter write(Controller controller) {
        ElementWriter out = new ElementWriter("controller")
                .set("type", controller.type().word())
                .set("index", controller.index())
                .set("model", controller.model())
                .setIf(controller.ports() > 0, "ports", controller.ports());
        if (controller.queues() > 0) {
            ElementWriter _ = out.child("driver").set("queues", controller.queues());
        }
        PlaceXml.write(controller.place(), out);
        return out.keep(controller.kept());
    }
}
