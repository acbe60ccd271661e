package io.fairlead.qemu.domain;

import io.fairlead.qemu.domain.xml.XmlElement;
import io.fairlead.qemu.domain.xml.XmlName;
import java.util.List;

/**
 * What stood in an element and has no effect on the machine: it comes back when the document is printed. Each piece says
 * where it stood: the names of the elements below this one, separated by slashes, with a number in brackets, from 0, where
 * one has siblings of its name before it; empty for the element itself.
 */
public record Kept(List<KeptAttribute> attributes, List<KeptElement> elements) {
    /** Nothing. */
    public static final Kept NOTHING = new Kept(List.of(), List.of());

    /** An attribute and the element on which it stood. */
    public record KeptAttribute(String place, XmlName name, String value) {}

    /** An element and what it stood in. */
    public record KeptElement(String place, XmlElement element) {}

    public Kept {
        attributes = List.copyOf(attributes);
        elements = List.copyOf(elements);
    }
}
