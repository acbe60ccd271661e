package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.VdpaSource;

/** {@code <source dev='...'/>} of a vDPA device. */
final class VdpaXml {
    private VdpaXml() {}

    /** @param parent what the source is in; its mode stands in the document's metadata */
    static VdpaSource read(ElementReader parent) throws DomainException {
        ElementReader source = parent.requiredChild("source");
        String dev = source.required("dev");
        if (!VdpaSource.isValid(dev)) {
            throw source.refuseAttribute("dev", "\"" + dev + "\" names no vDPA device", "use " + VdpaSource.FORMS);
        }
        return new VdpaSource(dev, VdpaSource.Mode.MANAGED);
    }

    static void write(VdpaSource source, ElementWriter out) {
        ElementWriter _ = out.child("source").set("dev", source.dev());
    }
}
