package io.fairlead.qemu.domain.xml;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Prints elements: two spaces a level, attributes in single quotation marks, as libvirt does. A namespace is declared where
 * it is first used. What is printed reads back as what it was.
 */
public final class XmlPrinter {
    private final StringBuilder out = new StringBuilder();

    private XmlPrinter() {}

    /**
     * A document, without XML declaration, in Unicode.
     *
     * @throws IllegalArgumentException where a text has characters that XML cannot carry
     */
    public static String print(XmlElement root) {
        XmlPrinter printer = new XmlPrinter();
        printer.element(root, 0, true, Map.of("", "", "xml", "http://www.w3.org/XML/1998/namespace"));
        return printer.out.toString();
    }

    private void element(XmlElement element, int level, boolean pretty, Map<String, String> scope) {
        Map<String, String> inner = new HashMap<>(scope);
        if (pretty) {
            out.repeat("  ", level);
        }
        out.append('<').append(element.name());
        declare(element.name(), inner);
        for (XmlAttribute attribute : element.attributes()) {
            if (!attribute.name().prefix().isEmpty()) {
                declare(attribute.name(), inner);
            }
            out.append(' ').append(attribute.name()).append("='");
            escape(attribute.value(), true);
            out.append('\'');
        }
        content(element, level, pretty, inner);
        if (pretty) {
            out.append('\n');
        }
    }

    private void content(XmlElement element, int level, boolean pretty, Map<String, String> scope) {
        List<XmlNode> content = element.content();
        if (content.isEmpty()) {
            out.append("/>");
            return;
        }
        out.append('>');
        // Beside text, white space would be part of it.
        boolean inline = !pretty || content.stream().anyMatch(XmlText.class::isInstance);
        if (!inline) {
            out.append('\n');
        }
        for (XmlNode node : content) {
            switch (node) {
                case XmlText text -> escape(text.text(), false);
                case XmlElement child -> element(child, level + 1, !inline, scope);
            }
        }
        if (!inline) {
            out.repeat("  ", level);
        }
        out.append("</").append(element.name()).append('>');
    }

    private void declare(XmlName name, Map<String, String> scope) {
        if (!name.namespace().equals(scope.get(name.prefix()))) {
            scope.put(name.prefix(), name.namespace());
            out.append(name.prefix().isEmpty() ? " xmlns='" : " xmlns:" + name.prefix() + "='");
            escape(name.namespace(), true);
            out.append('\'');
        }
    }

    private void escape(String text, boolean attribute) {
        text.codePoints().forEach(c -> {
            switch (c) {
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '&' -> out.append("&amp;");
                case '\'' -> out.append(attribute ? "&apos;" : "'");
                case '\r' -> out.append("&#13;");
                case '\n', '\t' -> {
                    if (attribute) {
                        out.append("&#").append(c).append(';');
                    } else {
                        out.appendCodePoint(c);
                    }
                }
                default -> {
                    if (!isXml(c)) {
                        throw new IllegalArgumentException(
                                "XML cannot carry the character U+%04X of a text".formatted(c));
                    }
                    out.appendCodePoint(c);
                }
            }
        });
    }

    /** Whether XML 1.0 can carry a character. */
    public static boolean isXml(int c) {
        return c == '\t'
                || c == '\n'
                || c == '\r'
                || (c >= 0x20 && c <= 0xd7ff)
                || (c >= 0xe000 && c <= 0xfffd)
                || (c >= 0x10000 && c <= 0x10ffff);
    }
}
