package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.QemuExtras;
import io.fairlead.qemu.domain.VdpaDevices;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.xml.XmlElement;
import io.fairlead.qemu.domain.xml.XmlException;
import io.fairlead.qemu.domain.xml.XmlName;
import io.fairlead.qemu.domain.xml.XmlNode;
import io.fairlead.qemu.domain.xml.XmlParser;
import io.fairlead.qemu.domain.xml.XmlPrinter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * libvirt's domain XML. What is not known is kept and reported, what is wrong is refused with its line, and what is printed
 * reads back as the same domain. Documents may come from anybody: see {@link XmlParser} for the bounds.
 */
public final class DomainXml {
    private static final Pattern UUID_FORM = Pattern.compile(
            "([0-9a-fA-F]{8})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{12})");

    private DomainXml() {}

    /** A domain and what its user should know of it. */
    public record Parsed(Domain domain, List<Notice> notices) {
        public Parsed {
            notices = List.copyOf(notices);
        }
    }

    /** A device and what its user should know of it. */
    public record ParsedDevice(Device device, List<Notice> notices) {
        public ParsedDevice {
            notices = List.copyOf(notices);
        }
    }

    /**
     * Reads a document.
     *
     * @throws DomainException where it is refused, with line, place, reason and remedy
     */
    public static Parsed parse(String document) throws DomainException {
        try {
            return parse(XmlParser.parse(document));
        } catch (XmlException e) {
            throw refused(e);
        }
    }

    /** Reads a document in the encoding that it declares. */
    public static Parsed parse(byte[] document) throws DomainException {
        try {
            return parse(XmlParser.parse(document));
        } catch (XmlException e) {
            throw refused(e);
        }
    }

    /** Reads the document of one device, as it is attached to a machine. */
    public static ParsedDevice parseDevice(String document) throws DomainException {
        try {
            List<Notice> notices = new ArrayList<>();
            Device device = DevicesXml.readOne(ElementReader.root(XmlParser.parse(document), notices));
            return new ParsedDevice(device, notices);
        } catch (XmlException e) {
            throw refused(e);
        }
    }

    private static DomainException refused(XmlException e) {
        return new DomainException(e.line(), "/", String.valueOf(e.getMessage()), "correct the document");
    }

    private static Parsed parse(XmlElement root) throws DomainException {
        List<Notice> notices = new ArrayList<>();
        ElementReader in = ElementReader.root(root, notices);
        if (!root.name().is("domain")) {
            throw in.refuse("this is not a domain", "begin it with <domain type='kvm'>");
        }
        // The number of a running machine.
        in.quiet("id");
        if (in.attribute("type") == null) {
            throw in.refuse("the attribute type is missing", "add type='kvm', or type='qemu' for emulation");
        }
        Domain.Type type = in.choice("type", Domain.Type.KVM);
        ElementReader nameElement = in.requiredChild("name");
        String name = nameElement.text().strip();
        if (!Domain.isName(name)) {
            throw nameElement.refuse("\"" + name + "\" cannot be a machine's name", "use " + Domain.NAME_FORM);
        }
        ElementReader security = in.child("launchSecurity");
        if (security != null) {
            throw security.refuse("memory that is encrypted from the host is not taken", "leave it out");
        }
        ElementReader metadata = in.child("metadata");
        ElementReader deviceList = in.child("devices");
        List<Device> devices = deviceList == null ? List.of() : DevicesXml.read(deviceList);
        Map<String, VdpaSource.Mode> modes = ModesXml.read(metadata, devices);
        if (metadata != null) {
            metadata.readWhole();
        }
        Domain domain = new Domain(
                type,
                name,
                uuid(in.child("uuid")),
                in.childText("title"),
                in.childText("description"),
                metadata(metadata),
                MemoryXml.read(in),
                CpuXml.read(in),
                BootXml.read(in),
                BoardXml.readFeatures(in),
                BoardXml.readClock(in),
                BoardXml.readLifecycle(in),
                devices.stream().map(device -> withMode(device, modes)).toList(),
                qemu(in),
                in.kept());
        return new Parsed(domain, notices);
    }

    private static Device withMode(Device device, Map<String, VdpaSource.Mode> modes) {
        VdpaSource source = VdpaDevices.source(device);
        VdpaSource.Mode mode =
                device.place().alias() == null ? null : modes.get(device.place().alias());
        return source == null || mode == null ? device : VdpaDevices.withSource(device, source.with(mode));
    }

    /** What others have put there. */
    private static @Nullable XmlElement metadata(@Nullable ElementReader in) {
        if (in == null) {
            return null;
        }
        XmlElement all = in.element();
        List<XmlNode> others =
                all.content().stream().filter(node -> !ModesXml.isOurs(node)).toList();
        boolean onlyOurs = others.isEmpty() && !all.content().isEmpty();
        return onlyOurs && all.attributes().isEmpty()
                ? null
                : new XmlElement(all.name(), all.attributes(), others, all.line());
    }

    private static @Nullable UUID uuid(@Nullable ElementReader in) throws DomainException {
        if (in == null) {
            return null;
        }
        String text = in.text().strip();
        if (!UUID_FORM.matcher(text).matches()) {
            throw in.refuse("\"" + text + "\" is not a UUID", "leave it out, and one is made");
        }
        return UUID.fromString(UUID_FORM.matcher(text).replaceFirst("$1-$2-$3-$4-$5"));
    }

    private static QemuExtras qemu(ElementReader in) throws DomainException {
        List<String> arguments = new ArrayList<>();
        SortedMap<String, String> environment = new TreeMap<>();
        for (ElementReader line : in.children(QemuExtras.NAMESPACE, "commandline")) {
            for (ElementReader argument : line.children(QemuExtras.NAMESPACE, "arg")) {
                String value = argument.attribute("value");
                if (value == null) {
                    throw argument.refuse("the attribute value is missing", "add value='...'");
                }
                arguments.add(value);
            }
            for (ElementReader variable : line.children(QemuExtras.NAMESPACE, "env")) {
                String name = variable.required("name");
                if (!name.matches("[A-Za-z_][A-Za-z0-9_]{0,127}")) {
                    throw variable.refuseAttribute("name", "\"" + name + "\" is not a variable's name", "correct it");
                }
                environment.put(name, variable.attribute("value", ""));
            }
        }
        return new QemuExtras(arguments, environment);
    }

    /**
     * The document: always the same for equal domains.
     *
     * @throws IllegalArgumentException where a domain that was not read has what no document can say
     */
    public static String print(Domain domain) {
        ElementWriter out =
                new ElementWriter("domain").set("type", domain.type().word());
        ElementWriter _ = out.childText("name", domain.name())
                .childText("uuid", domain.uuid())
                .childText("title", domain.title())
                .childText("description", domain.description());
        ModesXml.write(domain.metadata(), domain.devices(), out);
        MemoryXml.write(domain.memory(), out);
        CpuXml.write(domain.cpu(), out);
        BootXml.write(domain.boot(), out);
        BoardXml.write(domain.features(), out);
        ElementWriter _ = out.child("clock").set("offset", domain.clock());
        BoardXml.write(domain.lifecycle(), out);
        ElementWriter devices = out.child("devices");
        domain.devices().forEach(device -> devices.add(DevicesXml.write(device)));
        writeQemu(domain.qemu(), out);
        return XmlPrinter.print(out.keep(domain.kept()).build());
    }

    /** The document of one device. */
    public static String print(Device device) {
        return XmlPrinter.print(DevicesXml.write(device));
    }

    private static void writeQemu(QemuExtras qemu, ElementWriter root) {
        if (qemu.arguments().isEmpty() && qemu.environment().isEmpty()) {
            return;
        }
        ElementWriter out = root.child(name("commandline"));
        for (String argument : qemu.arguments()) {
            ElementWriter _ = out.child(name("arg")).set("value", argument);
        }
        qemu.environment().forEach((variable, value) -> {
            ElementWriter _ = out.child(name("env")).set("name", variable).set("value", value);
        });
    }

    private static XmlName name(String local) {
        return new XmlName(QemuExtras.NAMESPACE, "qemu", local);
    }
}
