package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Balloon;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Input;
import io.fairlead.qemu.domain.Rng;
import io.fairlead.qemu.domain.Vsock;
import io.fairlead.qemu.domain.Watchdog;

/** {@code <rng>}, {@code <input>}, {@code <memballoon>}, {@code <vsock>} and {@code <watchdog>}. */
final class SmallDevicesXml {
    private SmallDevicesXml() {}

    static Rng readRng(ElementReader in) throws DomainException {
        virtio(in);
        ElementReader backend = in.requiredChild("backend");
        String source = switch (backend.attribute("model", "random")) {
            case "random" -> backend.text().isBlank() ? "/dev/urandom" : backend.pathOfText();
            case "builtin" -> null;
            case String other ->
                throw backend.refuseAttribute("model", "\"" + other + "\" is not taken", "use random or builtin");
        };
        ElementReader rate = in.child("rate");
        return new Rng(
                source,
                rate == null ? 0 : rate.requiredNumber("bytes", 1, Integer.MAX_VALUE),
                rate == null ? 0 : rate.number("period", 0, 1, Integer.MAX_VALUE),
                PlaceXml.read(in),
                in.kept());
    }

    static ElementWriter writeRng(Rng rng) {
        ElementWriter out = new ElementWriter("rng").set("model", "virtio");
        if (rng.rateBytes() > 0) {
            ElementWriter _ = out.child("rate")
                    .set("bytes", rng.rateBytes())
                    .setIf(rng.ratePeriodMillis() > 0, "period", rng.ratePeriodMillis());
        }
        ElementWriter _ = rng.source() == null
                ? out.child("backend").set("model", "builtin")
                : out.child("backend").set("model", "random").text(rng.source());
        PlaceXml.write(rng.place(), out);
        return out.keep(rng.kept());
    }

    static Input readInput(ElementReader in) throws DomainException {
        Input.Kind kind = in.choice("type", Input.Kind.MOUSE);
        Input.Bus bus = in.choice("bus", kind == Input.Kind.TABLET ? Input.Bus.USB : Input.Bus.PS2);
        if (kind == Input.Kind.TABLET && bus == Input.Bus.PS2) {
            throw in.refuseAttribute("bus", "there is no tablet at PS/2", "use usb or virtio");
        }
        return new Input(kind, bus, PlaceXml.read(in), in.kept());
    }

    static ElementWriter writeInput(Input input) {
        ElementWriter out = new ElementWriter("input")
                .set("type", input.kind().word())
                .set("bus", input.bus().word());
        PlaceXml.write(input.place(), out);
        return out.keep(input.kept());
    }

    static Balloon readBalloon(ElementReader in) throws DomainException {
        // How often the guest tells its memory is not the machine's affair.
        in.quiet("stats");
        Balloon.Model model = switch (in.attribute("model", "virtio")) {
            // Which revisions of the specification QEMU offers follows from the bus it is at.
            case "virtio", "virtio-non-transitional", "virtio-transitional" -> Balloon.Model.VIRTIO;
            case "none" -> Balloon.Model.NONE;
            case String other ->
                throw in.refuseAttribute("model", "\"" + other + "\" is not taken", "use virtio or none");
        };
        return new Balloon(model, in.flag("freePageReporting", false, "on", "off"), PlaceXml.read(in), in.kept());
    }

    static ElementWriter writeBalloon(Balloon balloon) {
        ElementWriter out = new ElementWriter("memballoon")
                .set("model", balloon.model().word())
                .setIf(balloon.freePageReporting(), "freePageReporting", "on");
        PlaceXml.write(balloon.place(), out);
        return out.keep(balloon.kept());
    }

    static Vsock readVsock(ElementReader in) throws DomainException {
        virtio(in);
        ElementReader cid = in.child("cid");
        boolean auto = cid == null || cid.yesNo("auto", false);
        int number = cid == null ? 0 : cid.number("address", 0, 3, Integer.MAX_VALUE);
        if (!auto && number == 0) {
            throw in.refuse("the guest has no number", "add <cid auto='yes'/> or <cid address='3'/>");
        }
        return new Vsock(auto, number, PlaceXml.read(in), in.kept());
    }

    static ElementWriter writeVsock(Vsock vsock) {
        ElementWriter out = new ElementWriter("vsock").set("model", "virtio");
        ElementWriter _ = out.child("cid")
                .set("auto", vsock.auto() ? "yes" : "no")
                .setIf(vsock.cid() > 0, "address", vsock.cid());
        PlaceXml.write(vsock.place(), out);
        return out.keep(vsock.kept());
    }

    static Watchdog readWatchdog(ElementReader in) throws DomainException {
        String model = in.required("model");
        if (!model.matches("i6300esb|ib700|itco")) {
            throw in.refuseAttribute("model", "\"" + model + "\" is not taken", "use itco or i6300esb");
        }
        return new Watchdog(model, in.choice("action", Watchdog.Action.RESET), PlaceXml.read(in), in.kept());
    }

    static ElementWriter writeWatchdog(Watchdog watchdog) {
        ElementWriter out = new ElementWriter("watchdog")
                .set("model", watchdog.model())
                .set("action", watchdog.action().word());
        PlaceXml.write(watchdog.place(), out);
        return out.keep(watchdog.kept());
    }

    /** What a virtio device's model may say here. */
    private static void virtio(ElementReader in) throws DomainException {
        String model = in.attribute("model", "virtio");
        if (!model.startsWith("virtio")) {
            throw in.refuseAttribute("model", "\"" + model + "\" is not taken", "use virtio");
        }
    }
}
