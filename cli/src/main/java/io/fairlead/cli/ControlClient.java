package io.fairlead.cli;

import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** One command to a node at its control socket. {@link #cancel} is for any thread. */
public final class ControlClient implements AutoCloseable {
    private static final JsonMapper JSON = new JsonMapper();

    private final Path socket;
    private final SocketChannel channel;

    /** @throws IOException where no node is there */
    public ControlClient(Path socket) throws IOException {
        this.socket = socket;
        channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.connect(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            channel.close();
            throw new IOException(
                    "no node answers at %s (%s): start 'fairlead node --control %s', and see that this user may use it"
                            .formatted(socket, e.getMessage(), socket),
                    e);
        }
    }

    /**
     * Sends a command and hands each line of the answer on, the last one, with {@code done}, not.
     *
     * @return the last line
     * @throws EOFException where the node ended before it: what comes of it is not known yet
     */
    public JsonNode execute(ObjectNode command, Consumer<JsonNode> lines) throws IOException {
        send(command);
        BufferedReader reader = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
            JsonNode node;
            try {
                node = JSON.readTree(line);
            } catch (JacksonException e) {
                throw new IOException("the node at " + socket + " answered what is not JSON: " + line, e);
            }
            if (node.has("done")) {
                return node;
            }
            lines.accept(node);
        }
        throw new EOFException(
                "the node at %s ended before its answer: when it is started again it takes up what it was at"
                        .formatted(socket));
    }

    /** Asks to take it back. */
    public void cancel() throws IOException {
        send(JSON.createObjectNode().put("cancel", true));
    }

    private void send(ObjectNode line) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
        synchronized (this) {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
