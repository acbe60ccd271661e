package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.NetworkInterface.Source;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code <interface>}. */
final class InterfaceXml {
    private static final Pattern MAC = Pattern.compile("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}");
    private static final Pattern NIC = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}");
    private static final Pattern MODEL = Pattern.compile("[A-Za-z0-9_-]{1,32}");

    private InterfaceXml() {}

    static NetworkInterface read(ElementReader in) throws DomainException {
        Source source = source(in);
        String mac = null;
        ElementReader macElement = in.child("mac");
        if (macElement != null) {
            mac = mac(macElement);
        }
        ElementReader model = in.child("model");
        String modelName = model == null ? "virtio" : model.attribute("type", "virtio");
        if (model != null && !MODEL.matcher(modelName).matches()) {
            throw model.refuseAttribute("type", "\"" + modelName + "\" is not a model", "use virtio, e1000e or e1000");
        }
        ElementReader target = in.child("target");
        ElementReader mtu = in.child("mtu");
        ElementReader driver = in.child("driver");
        if (driver != null) {
            driver.quiet("name");
        }
        return new NetworkInterface(
                source,
                mac,
                modelName,
                target == null ? null : nic(target, "dev"),
                mtu == null ? 0 : mtu.requiredNumber("size", 68, 65535),
                driver == null ? 0 : driver.number("queues", 0, 1, 256),
                PlaceXml.read(in),
                in.kept());
    }

    private static String mac(ElementReader in) throws DomainException {
        String mac = in.required("address").toLowerCase(Locale.ROOT);
        if (!MAC.matcher(mac).matches() || (Integer.parseInt(mac.substring(0, 2), 16) & 1) != 0) {
            throw in.refuseAttribute(
                    "address", "\"" + mac + "\" is not the address of one card", "use one such as 52:54:00:12:34:56");
        }
        return mac;
    }

    /** The name of a network interface of the host. */
    private static @Nullable String nic(ElementReader in, String attribute) throws DomainException {
        String name = in.attribute(attribute);
        // The kernel fills in a pattern such as vnet%d.
        if (name != null && !NIC.matcher(name.replace("%d", "0")).matches()) {
            throw in.refuseAttribute(
                    attribute,
                    "\"" + name + "\" cannot be a network interface's name",
                    "use at most 15 letters, digits, . _ -");
        }
        return name;
    }

    private static Source source(ElementReader in) throws DomainException {
        String type = in.required("type");
        return switch (type) {
            case "user" -> new Source.User();
            case "ethernet" -> new Source.Ethernet();
            case "bridge" -> {
                ElementReader source = in.requiredChild("source");
                String bridge = nic(source, "bridge");
                if (bridge == null) {
                    throw source.refuse("the attribute bridge is missing", "add bridge='...'");
                }
                yield new Source.Bridge(bridge);
            }
            case "vhostuser" -> {
                ElementReader source = in.requiredChild("source");
                String kind = source.attribute("type", "unix");
                if (!kind.equals("unix")) {
                    throw source.refuseAttribute("type", "\"" + kind + "\" is not taken", "use type='unix'");
                }
                boolean server = source.flag("mode", false, "server", "client");
                int reconnect = ReconnectXml.read(source);
                if (server && reconnect > 0) {
                    throw source.refuse("who listens cannot connect again", "remove <reconnect> or use mode='client'");
                }
                yield new Source.VhostUser(source.requiredPath("path"), server, reconnect);
            }
            case "vdpa" -> new Source.Vdpa(VdpaXml.read(in));
            case "generic-vdpa" -> new Source.GenericVdpa(VdpaXml.read(in));
            case "network" ->
                throw in.refuseAttribute(
                        "type",
                        "networks are libvirt's own",
                        "use type='bridge' with the network's bridge: <source bridge='virbr0'/>");
            default ->
                throw in.refuseAttribute(
                        "type",
                        "interfaces of type \"" + type + "\" are not taken",
                        "use user, bridge, ethernet, vhostuser, vdpa or generic-vdpa");
        };
    }

    static ElementWriter write(NetworkInterface nic) {
        ElementWriter out =
                new ElementWriter("interface").set("type", nic.source().type());
        if (nic.mac() != null) {
            ElementWriter _ = out.child("mac").set("address", nic.mac());
        }
        switch (nic.source()) {
            case Source.User(), Source.Ethernet() -> {}
            case Source.Bridge(String bridge) -> {
                ElementWriter _ = out.child("source").set("bridge", bridge);
            }
            case Source.VhostUser(String socket, boolean server, int seconds) -> {
                ElementWriter source = out.child("source")
                        .set("type", "unix")
                        .set("path", socket)
                        .set("mode", server ? "server" : "client");
                ReconnectXml.write(seconds, source);
            }
            case Source.Vdpa vdpa -> VdpaXml.write(vdpa.source(), out);
            case Source.GenericVdpa vdpa -> VdpaXml.write(vdpa.source(), out);
        }
        if (nic.targetDev() != null) {
            ElementWriter _ = out.child("target").set("dev", nic.targetDev());
        }
        ElementWriter _ = out.child("model").set("type", nic.model());
        if (nic.queues() > 0) {
            ElementWriter _ = out.child("driver").set("queues", nic.queues());
        }
        if (nic.mtu() > 0) {
            ElementWriter _ = out.child("mtu").set("size", nic.mtu());
        }
        PlaceXml.write(nic.place(), out);
        return out.keep(nic.kept());
    }
}
