package io.fairlead.node.channel;

import java.util.List;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What goes over a channel: a word that says what it is, its fields, and bytes that are nobody's JSON.
 *
 * @param fields the receiver checks them; belongs to the message from now on
 * @param blobs not copied: nobody changes them any more
 */
public record Message(String kind, ObjectNode fields, List<byte[]> blobs) {
    public Message {
        blobs = List.copyOf(blobs);
    }

    public Message(String kind, ObjectNode fields) {
        this(kind, fields, List.of());
    }

    /** Without fields, to be filled in. */
    public static Message of(String kind) {
        return new Message(kind, JsonNodeFactory.instance.objectNode());
    }

    /** Puts a text field. */
    public Message with(String name, String value) {
        fields.put(name, value);
        return this;
    }

    /** Puts a whole number. */
    public Message with(String name, long value) {
        fields.put(name, value);
        return this;
    }

    /** A text field, empty where there is none. */
    public String text(String name) {
        return fields.path(name).asString("");
    }
}
