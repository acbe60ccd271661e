package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.Balloon;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.CharacterDevice.Role;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.Input;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.PciHostDevice;
import io.fairlead.qemu.domain.Rng;
import io.fairlead.qemu.domain.UnknownDevice;
import io.fairlead.qemu.domain.VdpaHostDevice;
import io.fairlead.qemu.domain.Video;
import io.fairlead.qemu.domain.VncDisplay;
import io.fairlead.qemu.domain.Vsock;
import io.fairlead.qemu.domain.Watchdog;
import io.fairlead.qemu.domain.xml.XmlElement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** {@code <devices>}: each kind to its own class, and what must hold among them. One document. */
final class DevicesXml {
    private static final int MAX_DEVICES = 1024;

    private final List<Device> devices = new ArrayList<>();
    private final Map<String, String> names = new HashMap<>();
    private final Map<Controller.Type, Integer> nextIndex = new HashMap<>();

    static List<Device> read(ElementReader in) throws DomainException {
        DevicesXml reader = new DevicesXml();
        for (ElementReader child : in.allChildren()) {
            if (reader.devices.size() >= MAX_DEVICES) {
                throw child.refuse("there are more than " + MAX_DEVICES + " devices", "use fewer");
            }
            Device device = reader.device(child);
            reader.check(device, child);
            reader.devices.add(device);
        }
        return reader.devices;
    }

    /** One device by itself, as it is attached. */
    static Device readOne(ElementReader in) throws DomainException {
        return new DevicesXml().device(in);
    }

    private Device device(ElementReader in) throws DomainException {
        if (!in.element().name().namespace().isEmpty()) {
            return unknown(in, "ignored: Fairlead does not know it; it is kept in the document");
        }
        return switch (in.element().name().local()) {
            case "disk" -> DiskXml.read(in);
            case "interface" -> InterfaceXml.read(in);
            case "filesystem" -> FilesystemXml.read(in);
            case "serial" -> character(Role.SERIAL, in);
            case "console" -> character(Role.CONSOLE, in);
            case "channel" -> character(Role.CHANNEL, in);
            case "graphics" -> graphics(in);
            case "video" -> DisplayXml.readVideo(in);
            case "rng" -> SmallDevicesXml.readRng(in);
            case "input" -> input(in);
            case "memballoon" -> SmallDevicesXml.readBalloon(in);
            case "vsock" -> SmallDevicesXml.readVsock(in);
            case "watchdog" -> SmallDevicesXml.readWatchdog(in);
            case "controller" -> controller(in);
            case "hostdev" -> HostdevXml.read(in);
            case "emulator" ->
                unknown(
                        in,
                        "ignored: Fairlead runs the QEMU that its host is configured with; it is kept in the document");
            case String name -> unknown(in, "ignored: the machine has no " + name + "; it is kept in the document");
        };
    }

    private static Device unknown(ElementReader in, String meaning) {
        in.notice(meaning);
        return new UnknownDevice(in.element());
    }

    private static Device character(Role role, ElementReader in) throws DomainException {
        if (!CharacterXml.isKnown(in)) {
            return unknown(
                    in,
                    "ignored: a " + role.word() + " of type \"" + in.element().attribute("type")
                            + "\" is not made; it is kept in the document");
        }
        return CharacterXml.read(role, in);
    }

    private static Device graphics(ElementReader in) throws DomainException {
        String other = DisplayXml.otherDisplay(in);
        return other == null
                ? DisplayXml.readVnc(in)
                : unknown(
                        in,
                        "ignored: the machine has no screen by \"" + other
                                + "\", only by vnc; it is kept in the document");
    }

    private static Device input(ElementReader in) throws DomainException {
        String type = in.element().attribute("type");
        if ("passthrough".equals(type) || "evdev".equals(type)) {
            return unknown(in, "ignored: the host's own input devices are not passed on; it is kept in the document");
        }
        return SmallDevicesXml.readInput(in);
    }

    private Device controller(ElementReader in) throws DomainException {
        if (!ControllerXml.isKnown(in)) {
            return unknown(
                    in,
                    "ignored: the machine has no controller of type \""
                            + in.element().attribute("type") + "\" besides its board's; it is kept in the document");
        }
        Controller.Type type = in.choice("type", Controller.Type.PCI);
        Controller read = ControllerXml.read(in, nextIndex.getOrDefault(type, firstIndex(in, type)));
        nextIndex.merge(type, read.index() + 1, Math::max);
        return read;
    }

    /** Bus 0 is the board's own. */
    private static int firstIndex(ElementReader in, Controller.Type type) {
        String model = in.element().attribute("model");
        boolean root = model == null || model.equals("pcie-root") || model.equals("pci-root");
        return type == Controller.Type.PCI && !root ? 1 : 0;
    }

    /** Names and places belong to one device each. */
    private void check(Device device, ElementReader in) throws DomainException {
        String alias = device.place().alias();
        if (alias != null) {
            claim("alias " + alias, in, "the alias \"" + alias + "\" is taken by ", "use another");
        }
        switch (device) {
            case Disk disk ->
                claim(
                        "disk " + disk.target(),
                        in,
                        "the name \"" + disk.target() + "\" is taken by ",
                        "use another <target dev>");
            case Filesystem fs ->
                claim("tag " + fs.tag(), in, "the tag \"" + fs.tag() + "\" is taken by ", "use another <target dir>");
            case Controller controller
            when controller.type() != Controller.Type.USB ->
                claim(
                        "controller " + controller.type().word() + controller.index(),
                        in,
                        "the index " + controller.index() + " is taken by ",
                        "use another");
            default -> {}
        }
        if (device.place().address() instanceof Address.Pci pci) {
            if (pci.slot() == 0 && pci.bus() == 0) {
                throw in.refuse("slot 0 of bus 0 is the board's own", "use another, or leave <address> out");
            }
            claim("pci " + pci, in, "the address " + pci + " is taken by ", "use another, or leave <address> out");
        }
        if (device.place().bootOrder() > 0) {
            int order = device.place().bootOrder();
            claim("boot " + order, in, "the boot order " + order + " is taken by ", "use another");
        }
    }

    private void claim(String what, ElementReader in, String reason, String remedy) throws DomainException {
        String before = names.putIfAbsent(what, in.path());
        if (before != null) {
            throw in.refuse(reason + before, remedy);
        }
    }

    static XmlElement write(Device device) {
        return switch (device) {
            case Disk disk -> DiskXml.write(disk).build();
            case NetworkInterface nic -> InterfaceXml.write(nic).build();
            case Filesystem fs -> FilesystemXml.write(fs).build();
            case CharacterDevice character -> CharacterXml.write(character).build();
            case VncDisplay vnc -> DisplayXml.writeVnc(vnc).build();
            case Video video -> DisplayXml.writeVideo(video).build();
            case Rng rng -> SmallDevicesXml.writeRng(rng).build();
            case Input input -> SmallDevicesXml.writeInput(input).build();
            case Balloon balloon -> SmallDevicesXml.writeBalloon(balloon).build();
            case Vsock vsock -> SmallDevicesXml.writeVsock(vsock).build();
            case Watchdog watchdog -> SmallDevicesXml.writeWatchdog(watchdog).build();
            case Controller controller -> ControllerXml.write(controller).build();
            case PciHostDevice pci -> HostdevXml.write(pci).build();
            case VdpaHostDevice vdpa -> HostdevXml.write(vdpa).build();
            case UnknownDevice unknown -> unknown.xml();
        };
    }
}
