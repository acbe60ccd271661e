package io.fairlead.node.channel;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;

/**
 * What both ends say first.
 *
 * @param version of the protocol that it speaks
 * @param node its name, for messages
 * @param incarnation of its process: another value, another process
 * @param listen where it can be reached; empty where unknown
 */
public record Hello(int version, String node, String incarnation, String listen) {
    /** What this code speaks. */
    public static final int VERSION = 1;

    private static final String KIND = "fairlead-node";

    public Hello(String node, String incarnation, String listen) {
        this(VERSION, node, incarnation, listen);
    }

    void write(OutputStream out) throws IOException {
        Message message = Message.of(KIND)
                .with("version", version)
                .with("node", node)
                .with("incarnation", incarnation)
                .with("listen", listen);
        new Frame(0, false, null, message).write(out);
    }

    static Hello read(DataInputStream in) throws IOException {
        Frame frame = Frame.read(in, Frame.MAX_HELLO_BYTES);
        if (frame == null) {
            throw new IOException("the other node closed the connection before it said anything");
        }
        Message message = frame.message();
        if (!message.kind().equals(KIND)) {
            throw new IOException("the other side is no Fairlead node: it said '" + message.kind() + "'");
        }
        int version = message.fields().path("version").asInt(0);
        if (version != VERSION) {
            throw new IOException("the other node speaks version %d of the protocol, this one %d: use the same Fairlead"
                    .formatted(version, VERSION));
        }
        return new Hello(version, message.text("node"), message.text("incarnation"), message.text("listen"));
    }
}
