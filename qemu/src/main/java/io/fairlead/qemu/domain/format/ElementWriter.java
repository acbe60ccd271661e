package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Kept;
import io.fairlead.qemu.domain.xml.XmlAttribute;
import io.fairlead.qemu.domain.xml.XmlElement;
import io.fairlead.qemu.domain.xml.XmlName;
import io.fairlead.qemu.domain.xml.XmlNode;
import io.fairlead.qemu.domain.xml.XmlText;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Builds an element. One thread. */
final class ElementWriter {
    private final XmlName name;
    private final List<XmlAttribute> attributes = new ArrayList<>();
    private final List<Object> content = new ArrayList<>();

    ElementWriter(XmlName name) {
        this.name = name;
    }

    ElementWriter(String name) {
        this(XmlName.of(name));
    }

    /** An attribute; none where there is no value. */
    ElementWriter set(String attribute, @Nullable Object value) {
        if (value != null) {
            attributes.add(new XmlAttribute(XmlName.of(attribute), value.toString()));
        }
        return this;
    }

    /** An attribute where a condition holds. */
    ElementWriter setIf(boolean condition, String attribute, Object value) {
        return condition ? set(attribute, value) : this;
    }

    /** A new child. */
    ElementWriter child(String childName) {
        return child(XmlName.of(childName));
    }

    ElementWriter child(XmlName childName) {
        ElementWriter child = new ElementWriter(childName);
        content.add(child);
        return child;
    }

    /** A new child with text alone; none where there is no text. */
    ElementWriter childText(String childName, @Nullable Object text) {
        if (text != null) {
            ElementWriter _ = child(childName).text(text.toString());
        }
        return this;
    }

    /** A new child without anything, where a condition holds. */
    ElementWriter childIf(boolean condition, String childName) {
        if (condition) {
            ElementWriter _ = child(childName);
        }
        return this;
    }

    ElementWriter text(String text) {
        if (!text.isEmpty()) {
            content.add(new XmlText(text));
        }
        return this;
    }

    ElementWriter add(XmlElement element) {
        content.add(element);
        return this;
    }

    /** Puts back what was kept. */
    ElementWriter keep(Kept kept) {
        for (Kept.KeptAttribute attribute : kept.attributes()) {
            at(attribute.place()).attributes.add(new XmlAttribute(attribute.name(), attribute.value()));
        }
        for (Kept.KeptElement element : kept.elements()) {
            at(element.place()).content.add(element.element());
        }
        return this;
    }

    /** The element below this one; those that are missing on the way are made. */
    private ElementWriter at(String place) {
        ElementWriter here = this;
        if (!place.isEmpty()) {
            for (String step : place.split("/", -1)) {
                int bracket = step.indexOf('[');
                here = bracket < 0
                        ? here.nth(step, 0)
                        : here.nth(
                                step.substring(0, bracket),
                                Integer.parseInt(step.substring(bracket + 1, step.length() - 1)));
            }
        }
        return here;
    }

    private ElementWriter nth(String childName, int index) {
        int seen = 0;
        for (Object node : content) {
            if (node instanceof ElementWriter child && child.name.toString().equals(childName)) {
                if (seen == index) {
                    return child;
                }
                seen++;
            }
        }
        return child(childName);
    }

    XmlElement build() {
        List<XmlNode> nodes = new ArrayList<>();
        for (Object node : content) {
            nodes.add(node instanceof ElementWriter child ? child.build() : (XmlNode) node);
        }
        return new XmlElement(name, attributes, nodes, 0);
    }
}
