package io.fairlead.qemu.domain.xml;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An element with all that is in it. Immutable.
 *
 * @param name its name
 * @param attributes in the document's order
 * @param content elements and text; white space between elements is not part of it
 * @param line where its start tag ends, from 1; 0 for one that comes from no document. Elements that differ in this alone
 *     are equal
 */
public record XmlElement(XmlName name, List<XmlAttribute> attributes, List<XmlNode> content, int line)
        implements XmlNode {
    public XmlElement {
        attributes = List.copyOf(attributes);
        content = List.copyOf(content);
    }

    /** An element without namespace and content. */
    public static XmlElement of(String local) {
        return new XmlElement(XmlName.of(local), List.of(), List.of(), 0);
    }

    /** The same with one more attribute. */
    public XmlElement with(String attribute, String value) {
        List<XmlAttribute> more = new ArrayList<>(attributes);
        more.add(new XmlAttribute(XmlName.of(attribute), value));
        return new XmlElement(name, more, content, line);
    }

    /** The same with one more child. */
    public XmlElement with(XmlNode child) {
        List<XmlNode> more = new ArrayList<>(content);
        more.add(child);
        return new XmlElement(name, attributes, more, line);
    }

    /** The value of an attribute without namespace. */
    public @Nullable String attribute(String local) {
        for (XmlAttribute attribute : attributes) {
            if (attribute.name().is(local)) {
                return attribute.value();
            }
        }
        return null;
    }

    /** The elements in it, without the text. */
    public List<XmlElement> children() {
        return content.stream()
                .filter(XmlElement.class::isInstance)
                .map(XmlElement.class::cast)
                .toList();
    }

    /** All text directly in it. */
    public String text() {
        StringBuilder text = new StringBuilder();
        for (XmlNode node : content) {
            if (node instanceof XmlText part) {
                text.append(part.text());
            }
        }
        return text.toString();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof XmlElement element
                && name.equals(element.name)
                && attributes.equals(element.attributes)
                && content.equals(element.content);
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, attributes, content);
    }
}
