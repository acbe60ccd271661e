package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.VdpaDevices;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.xml.XmlElement;
import io.fairlead.qemu.domain.xml.XmlName;
import io.fairlead.qemu.domain.xml.XmlNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * {@code <fairlead:devices>} in {@code <metadata>}: which vDPA devices QEMU opens itself. libvirt drops what it does not know
 * everywhere but there.
 */
final class ModesXml {
    static final String NAMESPACE = "urn:fairlead:domain:1";
    private static final XmlName DEVICES = new XmlName(NAMESPACE, "fairlead", "devices");
    private static final XmlName DEVICE = new XmlName(NAMESPACE, "fairlead", "device");

    private ModesXml() {}

    /** The modes that are said, by alias. */
    static Map<String, VdpaSource.Mode> read(@Nullable ElementReader metadata, List<Device> devices)
            throws DomainException {
        Map<String, VdpaSource.Mode> modes = new HashMap<>();
        if (metadata == null) {
            return modes;
        }
        for (ElementReader list : metadata.children(NAMESPACE, "devices")) {
            for (ElementReader in : list.children(NAMESPACE, "device")) {
                String alias = in.required("alias");
                if (in.attribute("mode") == null) {
                    throw in.refuse("the attribute mode is missing", "use direct or managed");
                }
                boolean known = devices.stream()
                        .anyMatch(device -> alias.equals(device.place().alias()) && VdpaDevices.source(device) != null);
                if (!known) {
                    throw in.refuseAttribute(
                            "alias",
                            "no vDPA device of this machine has the alias \"" + alias + "\"",
                            "add <alias name='" + alias + "'/> to the device");
                }
                modes.put(alias, in.choice("mode", VdpaSource.Mode.MANAGED));
            }
        }
        return modes;
    }

    static boolean isOurs(XmlNode node) {
        return node instanceof XmlElement element
                && element.name().namespace().equals(NAMESPACE)
                && element.name().local().equals("devices");
    }

    /** Writes the metadata with the modes in it. */
    static void write(@Nullable XmlElement metadata, List<Device> devices, ElementWriter root) {
        List<XmlNode> content = new ArrayList<>();
        if (metadata != null) {
            content.addAll(metadata.content());
        }
        ElementWriter list = new ElementWriter(DEVICES);
        boolean any = false;
        for (Device device : devices) {
            VdpaSource source = VdpaDevices.source(device);
            if (source != null && source.mode() == VdpaSource.Mode.DIRECT) {
                String alias = device.place().alias();
                if (alias == null) {
                    throw new IllegalArgumentException(
                            "A vDPA device that QEMU opens itself needs an alias: " + source.dev());
                }
                ElementWriter _ = list.child(DEVICE)
                        .set("alias", alias)
                        .set("mode", source.mode().word());
                any = true;
            }
        }
        if (any) {
            content.add(list.build());
        }
        if (metadata != null) {
            ElementWriter _ = root.add(new XmlElement(metadata.name(), metadata.attributes(), content, 0));
        } else if (any) {
            ElementWriter _ = root.add(new XmlElement(XmlName.of("metadata"), List.of(), content, 0));
        }
    }
}
