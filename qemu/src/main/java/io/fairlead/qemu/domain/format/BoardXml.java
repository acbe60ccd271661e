package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Features;
import io.fairlead.qemu.domain.Lifecycle;
import io.fairlead.qemu.domain.Lifecycle.Action;
import org.jspecify.annotations.Nullable;

/** {@code <features>}, {@code <clock>} and what becomes of a machine whose guest ends. */
final class BoardXml {
    private BoardXml() {}

    static Features readFeatures(ElementReader root) throws DomainException {
        ElementReader in = root.child("features");
        if (in == null) {
            return new Features(false, false, false, Features.Toggle.DEFAULT, Features.Toggle.DEFAULT);
        }
        ElementReader apic = in.child("apic");
        return new Features(
                in.child("acpi") != null,
                apic != null,
                in.child("pae") != null,
                toggle(in.child("vmport")),
                toggle(in.child("smm")));
    }

    private static Features.Toggle toggle(@Nullable ElementReader in) throws DomainException {
        return in == null ? Features.Toggle.DEFAULT : in.choice("state", Features.Toggle.ON);
    }

    static void write(Features features, ElementWriter root) {
        if (features.equals(new Features(false, false, false, Features.Toggle.DEFAULT, Features.Toggle.DEFAULT))) {
            return;
        }
        ElementWriter out = root.child("features")
                .childIf(features.acpi(), "acpi")
                .childIf(features.apic(), "apic")
                .childIf(features.pae(), "pae");
        toggle("vmport", features.vmport(), out);
        toggle("smm", features.smm(), out);
    }

    private static void toggle(String name, Features.Toggle toggle, ElementWriter out) {
        if (toggle != Features.Toggle.DEFAULT) {
            ElementWriter _ = out.child(name).set("state", toggle.word());
        }
    }

    static String readClock(ElementReader root) throws DomainException {
        ElementReader in = root.child("clock");
        if (in == null) {
            return "utc";
        }
        // Timers tell the host's clock by which means; QEMU's own choice is taken.
        in.quiet("timer");
        return switch (in.attribute("offset", "utc")) {
            case "utc" -> "utc";
            case "localtime" -> "localtime";
            case String other ->
                throw in.refuseAttribute("offset", "\"" + other + "\" is not taken", "use utc or localtime");
        };
    }

    static Lifecycle readLifecycle(ElementReader root) throws DomainException {
        return new Lifecycle(
                action(root, "on_poweroff", Action.DESTROY),
                action(root, "on_reboot", Action.RESTART),
                action(root, "on_crash", Action.DESTROY));
    }

    private static Action action(ElementReader root, String name, Action otherwise) throws DomainException {
        ElementReader in = root.child(name);
        if (in == null) {
            return otherwise;
        }
        Action action = in.choiceOfText(Action.class);
        if (!name.equals("on_crash") && (action == Action.COREDUMP_DESTROY || action == Action.COREDUMP_RESTART)) {
            throw in.refuse("\"" + action.word() + "\" is for on_crash alone", "use destroy, restart or preserve");
        }
        return action;
    }

    static void write(Lifecycle lifecycle, ElementWriter root) {
        ElementWriter _ = root.childText("on_poweroff", lifecycle.onPoweroff().word())
                .childText("on_reboot", lifecycle.onReboot().word())
                .childText("on_crash", lifecycle.onCrash().word());
    }
}
