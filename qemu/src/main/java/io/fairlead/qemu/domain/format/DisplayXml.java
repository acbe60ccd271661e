package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Video;
import io.fairlead.qemu.domain.VncDisplay;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code <graphics>} and {@code <video>}. */
final class DisplayXml {
    private static final Pattern HOST = Pattern.compile("[0-9A-Za-z.:-]{1,255}");
    private static final Pattern MODEL = Pattern.compile("vga|cirrus|virtio|bochs|qxl|vmvga|ramfb|none");

    private DisplayXml() {}

    static VncDisplay readVnc(ElementReader in) throws DomainException {
        if (in.attribute("passwd") != null) {
            throw in.refuseAttribute(
                    "passwd", "a password in the document is not taken", "use <listen type='socket' socket='...'/>");
        }
        String _ = in.required("type");
        in.quiet("websocket", "keymap", "sharePolicy");
        String socket = in.path("socket");
        String listen = in.attribute("listen");
        ElementReader inner = in.child("listen");
        if (inner != null) {
            switch (inner.attribute("type", "address")) {
                case "address" -> {
                    String address = inner.attribute("address");
                    listen = address == null ? listen : address;
                }
                case "socket" -> {
                    String path = inner.path("socket");
                    if (path == null) {
                        throw inner.refuse("the socket has no path", "add socket='...'");
                    }
                    socket = path;
                }
                case String other ->
                    throw inner.refuseAttribute("type", "\"" + other + "\" is not taken", "use address or socket");
            }
        }
        if (listen != null && !HOST.matcher(listen).matches()) {
            throw in.refuse("\"" + listen + "\" is not an address to listen at", "use one such as 127.0.0.1");
        }
        return new VncDisplay(
                socket == null ? port(in) : dropPort(in),
                socket == null ? listen : null,
                socket,
                PlaceXml.read(in),
                in.kept());
    }

    private static int port(ElementReader in) throws DomainException {
        boolean auto = in.yesNo("autoport", false);
        String said = in.attribute("port");
        if (auto || said == null || said.equals("-1")) {
            return -1;
        }
        return in.number("port", -1, 5900, 65535);
    }

    private static int dropPort(ElementReader in) {
        in.quiet("port", "autoport");
        return -1;
    }

    static ElementWriter writeVnc(VncDisplay display) {
        ElementWriter out = new ElementWriter("graphics").set("type", "vnc");
        if (display.socket() != null) {
            ElementWriter _ = out.child("listen").set("type", "socket").set("socket", display.socket());
        } else {
            ElementWriter _ = display.port() < 0
                    ? out.set("autoport", "yes")
                    : out.set("port", display.port()).set("autoport", "no");
            if (display.listen() != null) {
                ElementWriter _ = out.child("listen").set("type", "address").set("address", display.listen());
            }
        }
        PlaceXml.write(display.place(), out);
        return out.keep(display.kept());
    }

    static Video readVideo(ElementReader in) throws DomainException {
        ElementReader model = in.child("model");
        String type = "vga";
        int heads = 0;
        if (model != null) {
            model.quiet("primary", "ram", "vram", "vram64", "vgamem");
            type = model.attribute("type", "vga");
            if (!MODEL.matcher(type).matches()) {
                throw model.refuseAttribute(
                        "type", "\"" + type + "\" is not taken", "use vga, virtio, cirrus, bochs, qxl, ramfb or none");
            }
            heads = model.number("heads", 0, 1, 16);
        }
        return new Video(type, heads, PlaceXml.read(in), in.kept());
    }

    static ElementWriter writeVideo(Video video) {
        ElementWriter out = new ElementWriter("video");
        ElementWriter _ =
                out.child("model").set("type", video.model()).setIf(video.heads() > 0, "heads", video.heads());
        PlaceXml.write(video.place(), out);
        return out.keep(video.kept());
    }

    /** The type of a screen that is not VNC. */
    static @Nullable String otherDisplay(ElementReader in) {
        String type = in.element().attribute("type");
        return "vnc".equals(type) ? null : String.valueOf(type);
    }
}
