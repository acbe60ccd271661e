package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Filesystem;
import java.nio.charset.StandardCharsets;

/** {@code <filesystem>}. */
final class FilesystemXml {
    private FilesystemXml() {}

    static Filesystem read(ElementReader in) throws DomainException {
        if (!in.attribute("type", "mount").equals("mount")) {
            throw in.refuseAttribute("type", "only folders of the host are taken", "use type='mount'");
        }
        in.quiet("accessmode");
        ElementReader driver = in.child("driver");
        if (driver == null) {
            throw in.refuse("file systems are taken by virtiofs alone", "add <driver type='virtiofs'/>");
        }
        if (!driver.attribute("type", "path").equals("virtiofs")) {
            throw driver.refuse("file systems are taken by virtiofs alone", "use <driver type='virtiofs'/>");
        }
        ElementReader source = in.requiredChild("source");
        String socket = source.path("socket");
        String dir = source.path("dir");
        if ((socket == null) == (dir == null)) {
            throw source.refuse("it takes either a folder or a daemon's socket", "give one of dir and socket");
        }
        ElementReader binary = in.child("binary");
        ElementReader target = in.requiredChild("target");
        String tag = target.required("dir");
        int bytes = tag.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > 36 || tag.chars().anyMatch(c -> c < 0x20)) {
            throw target.refuseAttribute("dir", "the tag has " + bytes + " bytes or odd characters", "use at most 36");
        }
        return new Filesystem(
                dir,
                socket,
                binary == null ? null : binary.path("path"),
                tag,
                driver.number("queue", 0, 1, 1024),
                in.child("readonly") != null,
                PlaceXml.read(in),
                in.kept());
    }

    static ElementWriter write(Filesystem fs) {
        ElementWriter out = new ElementWriter("filesystem").set("type", "mount");
        ElementWriter _ =
                out.child("driver").set("type", "virtiofs").setIf(fs.queueSize() > 0, "queue", fs.queueSize());
        if (fs.binary() != null) {
            ElementWriter _ = out.child("binary").set("path", fs.binary());
        }
        ElementWriter _ = out.child("source").set("dir", fs.dir()).set("socket", fs.socket());
        ElementWriter _ = out.child("target").set("dir", fs.tag());
        ElementWriter _ = out.childIf(fs.readOnly(), "readonly");
        PlaceXml.write(fs.place(), out);
        return out.keep(fs.kept());
    }
}
