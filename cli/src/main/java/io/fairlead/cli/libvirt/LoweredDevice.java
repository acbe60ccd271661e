package io.fairlead.cli.libvirt;

import io.fairlead.qemu.domain.lower.Lowering;
import io.fairlead.qemu.domain.xml.XmlElement;
import io.fairlead.qemu.domain.xml.XmlException;
import io.fairlead.qemu.domain.xml.XmlParser;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A device of a lowered machine as the machine's metadata has it.
 *
 * @param alias the device's id
 * @param name what the document called it before: a name, a path or a PCI function
 * @param socket where it is served; empty for one that QEMU opens itself
 */
public record LoweredDevice(String alias, String name, String socket) {
    /**
     * Finds them in a document of libvirt's. What else is in it is not looked at.
     *
     * @return none where the machine was not lowered
     * @throws XmlException where it is no XML
     */
    public static List<LoweredDevice> in(byte[] document) throws XmlException {
        return XmlParser.parse(document).children().stream()
                .filter(child -> child.name().is("metadata"))
                .flatMap(metadata -> ours(metadata, "lowered"))
                .flatMap(lowered -> ours(lowered, "device"))
                .map(device -> new LoweredDevice(
                        Objects.requireNonNullElse(device.attribute("alias"), ""),
                        Objects.requireNonNullElse(
                                device.attribute("dev"), Objects.requireNonNullElse(device.attribute("function"), "")),
                        Objects.requireNonNullElse(device.attribute("socket"), "")))
                .toList();
    }

    private static Stream<XmlElement> ours(XmlElement parent, String local) {
        return parent.children().stream()
                .filter(child -> child.name().namespace().equals(Lowering.NAMESPACE)
                        && child.name().local().equals(local));
    }
}
