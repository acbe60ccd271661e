package io.fairlead.qemu.domain.xml;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import org.jspecify.annotations.Nullable;

/**
 * Reads a document into elements. The document is hostile: a document type, which is where entities are declared, is
 * refused, nothing outside is looked at, and size, depth and counts are bounded. Comments and processing instructions are
 * left out.
 */
public final class XmlParser {
    /** The largest document. */
    public static final int MAX_BYTES = 1 << 20;

    /** How deep elements may lie in each other. */
    public static final int MAX_DEPTH = 32;

    /** How many elements a document may have. */
    public static final int MAX_ELEMENTS = 20_000;

    /** How many attributes an element may have. */
    public static final int MAX_ATTRIBUTES = 64;

    private final XMLStreamReader reader;
    private final Deque<Open> open = new ArrayDeque<>();
    private int elements;
    private @Nullable XmlElement root;

    private XmlParser(XMLStreamReader reader) {
        this.reader = reader;
    }

    /** An element whose end has not been seen. */
    private record Open(
            XmlName name, List<XmlAttribute> attributes, List<XmlNode> content, StringBuilder text, int line) {
        /** What was read of a text that a comment may have cut in two. */
        private void endText() {
            if (!text.isEmpty()) {
                content.add(new XmlText(text.toString()));
                text.setLength(0);
            }
        }
    }

    /** Reads a document. */
    public static XmlElement parse(String document) throws XmlException {
        return parse(document.getBytes(StandardCharsets.UTF_8), "UTF-8");
    }

    /** Reads a document in the encoding that it declares. */
    public static XmlElement parse(byte[] document) throws XmlException {
        return parse(document, null);
    }

    private static XmlElement parse(byte[] document, @Nullable String encoding) throws XmlException {
        if (document.length > MAX_BYTES) {
            throw new XmlException(
                    1, "the document has " + document.length + " bytes; at most " + MAX_BYTES + " are taken");
        }
        try {
            XMLStreamReader reader = factory().createXMLStreamReader(new ByteArrayInputStream(document), encoding);
            try {
                return new XmlParser(reader).run();
            } finally {
                reader.close();
            }
        } catch (XMLStreamException e) {
            int line = e.getLocation() == null ? 1 : Math.max(1, e.getLocation().getLineNumber());
            throw new XmlException(line, "not well-formed XML: " + firstLine(e));
        }
    }

    private static XMLInputFactory factory() {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(XMLInputFactory.IS_COALESCING, true);
        factory.setProperty(XMLInputFactory.IS_NAMESPACE_AWARE, true);
        return factory;
    }

    /** The JDK's messages repeat the position in a line of their own. */
    private static String firstLine(XMLStreamException e) {
        String message = String.valueOf(e.getMessage());
        int text = message.indexOf("Message: ");
        String reason = text < 0 ? message : message.substring(text + "Message: ".length());
        return reason.lines().findFirst().orElse("");
    }

    private XmlElement run() throws XMLStreamException, XmlException {
        while (reader.hasNext()) {
            switch (reader.next()) {
                case XMLStreamConstants.DTD ->
                    throw new XmlException(line(), "a document type (<!DOCTYPE>) is not taken: leave it out");
                case XMLStreamConstants.ENTITY_REFERENCE ->
                    throw new XmlException(line(), "the entity &" + reader.getLocalName() + "; is not defined");
                case XMLStreamConstants.START_ELEMENT -> start();
                case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA, XMLStreamConstants.SPACE -> text();
                case XMLStreamConstants.END_ELEMENT -> end();
                default -> {
                    // Comments and processing instructions say nothing about the machine.
                }
            }
        }
        if (root == null) {
            throw new XmlException(1, "the document has no element");
        }
        return root;
    }

    private void start() throws XmlException {
        Open parent = open.peek();
        if (parent != null) {
            parent.endText();
        }
        elements++;
        if (elements > MAX_ELEMENTS) {
            throw new XmlException(line(), "more than " + MAX_ELEMENTS + " elements");
        }
        if (open.size() >= MAX_DEPTH) {
            throw new XmlException(line(), "elements lie more than " + MAX_DEPTH + " deep in each other");
        }
        if (reader.getAttributeCount() > MAX_ATTRIBUTES) {
            throw new XmlException(line(), "more than " + MAX_ATTRIBUTES + " attributes");
        }
        List<XmlAttribute> attributes = new ArrayList<>();
        for (int i = 0; i < reader.getAttributeCount(); i++) {
            attributes.add(new XmlAttribute(
                    name(
                            reader.getAttributeNamespace(i),
                            reader.getAttributePrefix(i),
                            reader.getAttributeLocalName(i)),
                    reader.getAttributeValue(i)));
        }
        open.push(new Open(
                name(reader.getNamespaceURI(), reader.getPrefix(), reader.getLocalName()),
                attributes,
                new ArrayList<>(),
                new StringBuilder(),
                line()));
    }

    private void text() {
        Open element = open.peek();
        if (element != null) {
            element.text.append(reader.getText());
        }
    }

    private void end() {
        Open element = open.pop();
        element.endText();
        boolean hasText = element.content.stream()
                .anyMatch(node -> node instanceof XmlText text && !text.text().isBlank());
        if (!hasText) {
            element.content.removeIf(XmlText.class::isInstance);
        }
        XmlElement done = new XmlElement(element.name, element.attributes, element.content, element.line);
        Open parent = open.peek();
        if (parent == null) {
            root = done;
        } else {
            parent.content.add(done);
        }
    }

    private int line() {
        return Math.max(1, reader.getLocation().getLineNumber());
    }

    private static XmlName name(@Nullable String namespace, @Nullable String prefix, String local) {
        return new XmlName(namespace == null ? "" : namespace, prefix == null ? "" : prefix, local);
    }
}
