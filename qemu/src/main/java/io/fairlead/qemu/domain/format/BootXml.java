package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Boot;
import io.fairlead.qemu.domain.DomainException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code <os>}. */
final class BootXml {
    private static final Pattern MACHINE = Pattern.compile("[a-z0-9][a-zA-Z0-9._-]{0,63}");

    private BootXml() {}

    static Boot read(ElementReader root) throws DomainException {
        ElementReader in = root.requiredChild("os");
        ElementReader type = in.requiredChild("type");
        if (!type.text().strip().equals("hvm")) {
            throw type.refuse("\"" + type.text().strip() + "\" is not taken", "use hvm");
        }
        String arch = type.attribute("arch", "x86_64");
        if (!arch.equals("x86_64") && !arch.equals("i686")) {
            throw type.refuseAttribute("arch", "machines of \"" + arch + "\" are not taken", "use x86_64");
        }
        String machine = type.attribute("machine");
        if (machine != null && !MACHINE.matcher(machine).matches()) {
            throw type.refuseAttribute("machine", "\"" + machine + "\" is no machine type", "use q35");
        }
        String firmware = in.attribute("firmware", "bios");
        if (!firmware.equals("efi") && !firmware.equals("bios")) {
            throw in.refuseAttribute("firmware", "\"" + firmware + "\" is not taken", "use efi or bios");
        }
        in.quiet("bootmenu", "smbios");
        Boot.Kernel kernel = kernel(in);
        List<Boot.Source> devices = new ArrayList<>();
        for (ElementReader boot : in.children("boot")) {
            if (boot.attribute("dev") == null) {
                throw boot.refuse("the attribute dev is missing", "use hd, cdrom or network");
            }
            devices.add(boot.choice("dev", Boot.Source.HD));
        }
        return new Boot(
                arch,
                machine,
                firmware.equals("efi"),
                loader(in.child("loader")),
                nvram(in.child("nvram")),
                kernel,
                devices);
    }

    private static Boot.@Nullable Kernel kernel(ElementReader in) throws DomainException {
        ElementReader kernel = in.child("kernel");
        ElementReader initrd = in.child("initrd");
        String arguments = in.childText("cmdline");
        if (kernel == null) {
            if (initrd != null || arguments != null) {
                throw in.refuse("an initrd or a command line without a kernel", "add <kernel>");
            }
            return null;
        }
        return new Boot.Kernel(kernel.pathOfText(), initrd == null ? null : initrd.pathOfText(), arguments);
    }

    private static Boot.@Nullable Loader loader(@Nullable ElementReader in) throws DomainException {
        if (in == null || in.text().isBlank()) {
            return null;
        }
        String format = in.attribute("format", "raw");
        if (!format.equals("raw")) {
            throw in.refuseAttribute("format", "a firmware in format \"" + format + "\" is not taken", "use raw");
        }
        return new Boot.Loader(
                in.pathOfText(),
                in.yesNo("readonly", true),
                in.flag("type", false, "pflash", "rom"),
                in.yesNo("secure", false));
    }

    private static Boot.@Nullable Nvram nvram(@Nullable ElementReader in) throws DomainException {
        if (in == null) {
            return null;
        }
        in.quiet("templateFormat");
        String format = in.attribute("format", "raw");
        if (!format.equals("raw") || in.attribute("type", "file").equals("network")) {
            throw in.refuse("variables are taken in a raw file alone", "use format='raw' and a path");
        }
        return new Boot.Nvram(in.text().isBlank() ? null : in.pathOfText(), in.path("template"));
    }

    static void write(Boot boot, ElementWriter root) {
        ElementWriter out = root.child("os").setIf(boot.efi(), "firmware", "efi");
        ElementWriter _ = out.child("type")
                .set("arch", boot.arch())
                .set("machine", boot.machine())
                .text("hvm");
        Boot.Loader loader = boot.loader();
        if (loader != null) {
            ElementWriter _ = out.child("loader")
                    .set("readonly", loader.readOnly() ? "yes" : "no")
                    .setIf(loader.secure(), "secure", "yes")
                    .set("type", loader.pflash() ? "pflash" : "rom")
                    .text(loader.path());
        }
        Boot.Nvram nvram = boot.nvram();
        if (nvram != null) {
            ElementWriter _ =
                    out.child("nvram").set("template", nvram.template()).text(nvram.path() == null ? "" : nvram.path());
        }
        Boot.Kernel kernel = boot.kernel();
        if (kernel != null) {
            ElementWriter _ = out.childText("kernel", kernel.kernel())
                    .childText("initrd", kernel.initrd())
                    .childText("cmdline", kernel.arguments());
        }
        for (Boot.Source device : boot.devices()) {
            ElementWriter _ = out.child("boot").set("dev", device.word());
        }
    }
}
