package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.CharacterDevice.Backend;
import io.fairlead.qemu.domain.CharacterDevice.Role;
import io.fairlead.qemu.domain.DomainException;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code <serial>}, {@code <console>} and {@code <channel>}. */
final class CharacterXml {
    private static final Set<String> LOOPBACK = Set.of("127.0.0.1", "localhost", "::1");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");

    private CharacterXml() {}

    /** Whether the host's side is of the kind that is taken; else the device is kept and not made. */
    static boolean isKnown(ElementReader in) {
        String type = in.element().attribute("type");
        return type == null || Set.of("pty", "null", "file", "unix", "tcp").contains(type);
    }

    static CharacterDevice read(Role role, ElementReader in) throws DomainException {
        ElementReader target = in.child("target");
        String type = role == Role.CHANNEL ? "virtio" : role == Role.CONSOLE ? "serial" : "isa-serial";
        String name = null;
        int port = -1;
        if (target != null) {
            target.quiet("state");
            String said = target.attribute("type", type);
            type = type(role, said, target);
            name = target.attribute("name");
            if (name != null && !NAME.matcher(name).matches()) {
                throw target.refuseAttribute(
                        "name", "\"" + name + "\" is not a channel's name", "use letters, digits, . _ -");
            }
            port = target.number("port", -1, 0, 30);
            if (port > 3 && role == Role.SERIAL) {
                throw target.refuseAttribute("port", "a machine has 4 serial ports", "use 0 to 3");
            }
            ElementReader model = target.child("model");
            if (model != null) {
                model.quiet("name");
            }
        }
        return new CharacterDevice(role, backend(in), type, name, port, PlaceXml.read(in), in.kept());
    }

    private static String type(Role role, String said, ElementReader target) throws DomainException {
        return switch (role) {
            case SERIAL ->
                switch (said) {
                    case "isa-serial", "pci-serial" -> said;
                    default ->
                        throw target.refuseAttribute(
                                "type", "\"" + said + "\" is not taken", "use isa-serial or pci-serial");
                };
            case CONSOLE ->
                switch (said) {
                    case "serial", "virtio" -> said;
                    default ->
                        throw target.refuseAttribute("type", "\"" + said + "\" is not taken", "use serial or virtio");
                };
            case CHANNEL -> {
                if (!said.equals("virtio")) {
                    throw target.refuseAttribute("type", "\"" + said + "\" is not taken", "use virtio");
                }
                yield said;
            }
        };
    }

    private static Backend backend(ElementReader in) throws DomainException {
        // A running machine's document has its terminal, which means nothing for the next start.
        in.quiet("tty");
        String type = in.attribute("type", "pty");
        ElementReader source = source(in);
        return switch (type) {
            case "pty" -> {
                if (source != null) {
                    source.quiet("path");
                }
                yield new Backend.Pty();
            }
            case "null" -> new Backend.Null();
            case "file" -> {
                ElementReader file = in.requiredChild("source");
                yield new Backend.FileBackend(file.requiredPath("path"), file.flag("append", false, "on", "off"));
            }
            case "unix" -> {
                String path = source == null ? null : source.path("path");
                boolean listen = source == null || source.flag("mode", true, "bind", "connect");
                if (path == null && !listen) {
                    throw in.refuse("a socket to connect to has no path", "add <source mode='connect' path='...'/>");
                }
                yield new Backend.Unix(path, listen);
            }
            case "tcp" -> tcp(in);
            default ->
                throw in.refuseAttribute("type", "\"" + type + "\" is not taken", "use pty, null, file, unix or tcp");
        };
    }

    private static @Nullable ElementReader source(ElementReader in) throws DomainException {
        return in.child("source");
    }

    private static Backend.Tcp tcp(ElementReader in) throws DomainException {
        ElementReader source = in.requiredChild("source");
        String host = source.required("host");
        if (!LOOPBACK.contains(host)) {
            throw source.refuseAttribute(
                    "host",
                    "a serial port by TCP has no password, and \"" + host + "\" is not this host alone",
                    "use 127.0.0.1, or type='unix'");
        }
        if (source.yesNo("tls", false)) {
            throw source.refuseAttribute("tls", "TLS is not taken here", "leave it out");
        }
        int port = source.number("service", 0, 1, 65535);
        if (port == 0) {
            throw source.refuse("the attribute service is missing", "add service='PORT'");
        }
        ElementReader protocol = in.child("protocol");
        return new Backend.Tcp(
                host,
                port,
                source.flag("mode", false, "bind", "connect"),
                protocol != null && protocol.flag("type", false, "telnet", "raw"));
    }

    static ElementWriter write(CharacterDevice device) {
        ElementWriter out =
                new ElementWriter(device.element()).set("type", device.backend().type());
        switch (device.backend()) {
            case Backend.Pty(), Backend.Null() -> {}
            case Backend.FileBackend(String path, boolean append) -> {
                ElementWriter _ = out.child("source").set("path", path).setIf(append, "append", "on");
            }
            case Backend.Unix(String path, boolean listen) -> {
                ElementWriter _ = out.child("source")
                        .set("mode", listen ? "bind" : "connect")
                        .set("path", path);
            }
            case Backend.Tcp tcp -> {
                ElementWriter _ = out.child("source")
                        .set("mode", tcp.listen() ? "bind" : "connect")
                        .set("host", tcp.host())
                        .set("service", tcp.port());
                ElementWriter _ = out.child("protocol").set("type", tcp.telnet() ? "telnet" : "raw");
            }
        }
        ElementWriter _ = out.child("target")
                .set("type", device.targetType())
                .set("name", device.targetName())
                .setIf(device.port() >= 0, "port", device.port());
        PlaceXml.write(device.place(), out);
        return out.keep(device.kept());
    }
}
