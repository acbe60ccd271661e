package io.fairlead.node.channel;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A message on the wire, big-endian: u32 bytes that follow, u32 bytes of the header, the header in JSON ({@code kind},
 * {@code id}, {@code reply}, {@code error}, {@code fields}, {@code blobs} as lengths), and the blobs one after the other.
 * Nothing is taken from a peer before its length was compared with a bound.
 *
 * @param id pairs a request with its answer; 0 where none is expected
 * @param isReply whether it answers the request of that id
 * @param error why the request failed, in an answer; null where it did not
 */
record Frame(long id, boolean isReply, @Nullable String error, Message message) {
    /** States of devices are some KiB each; a frame carries those of a whole machine. */
    static final int MAX_BYTES = 64 << 20;

    static final int MAX_HEADER_BYTES = 1 << 20;

    /** Before the peers know each other. */
    static final int MAX_HELLO_BYTES = 16 << 10;

    private static final int MAX_BLOBS = 4096;
    private static final JsonMapper JSON = new JsonMapper();

    /** Writes and flushes; the caller holds the stream alone. */
    void write(OutputStream out) throws IOException {
        ObjectNode header = JSON.createObjectNode();
        header.put("kind", message.kind());
        header.put("id", id);
        header.put("reply", isReply);
        if (error != null) {
            header.put("error", error);
        }
        header.set("fields", message.fields());
        int blobBytes = 0;
        if (!message.blobs().isEmpty()) {
            var lengths = header.putArray("blobs");
            for (byte[] blob : message.blobs()) {
                lengths.add(blob.length);
                blobBytes = Math.addExact(blobBytes, blob.length);
            }
        }
        byte[] text = JSON.writeValueAsBytes(header);
        long byteCount = Integer.BYTES + (long) text.length + blobBytes;
        if (byteCount > MAX_BYTES
                || text.length > MAX_HEADER_BYTES
                || message.blobs().size() > MAX_BLOBS) {
            throw new IOException("a message '%s' of %d bytes is too long for the channel between nodes"
                    .formatted(message.kind(), byteCount));
        }
        ByteBuffer whole = ByteBuffer.allocate(Integer.BYTES + (int) byteCount);
        whole.putInt((int) byteCount).putInt(text.length).put(text);
        message.blobs().forEach(whole::put);
        out.write(whole.array());
        out.flush();
    }

    /**
     * Reads one frame.
     *
     * @param maxBytes that the peer may send now
     * @return null at the end of the stream between two frames
     * @throws IOException where the peer breaks the protocol or the stream ends inside a frame
     */
    static @Nullable Frame read(DataInputStream in, int maxBytes) throws IOException {
        int first = in.read();
        if (first < 0) {
            return null;
        }
        int byteCount = first << 24 | in.readUnsignedByte() << 16 | in.readUnsignedShort();
        if (byteCount < Integer.BYTES || byteCount > maxBytes) {
            throw new IOException("a frame of %d bytes: the protocol is broken".formatted(byteCount & 0xffffffffL));
        }
        int headerBytes = in.readInt();
        if (headerBytes < 0 || headerBytes > Math.min(byteCount - Integer.BYTES, MAX_HEADER_BYTES)) {
            throw new IOException("a header of %d bytes in a frame of %d: the protocol is broken"
                    .formatted(headerBytes & 0xffffffffL, byteCount));
        }
        JsonNode header = header(exactly(in, headerBytes));
        int left = byteCount - Integer.BYTES - headerBytes;
        List<byte[]> blobs = new ArrayList<>();
        for (JsonNode length : header.path("blobs")) {
            int blobBytes = length.asInt(-1);
            if (blobBytes < 0 || blobBytes > left || blobs.size() == MAX_BLOBS) {
                throw new IOException("a blob that is longer than its frame: the protocol is broken");
            }
            blobs.add(exactly(in, blobBytes));
            left -= blobBytes;
        }
        if (left != 0) {
            throw new IOException("%d bytes of a frame belong to nothing: the protocol is broken".formatted(left));
        }
        JsonNode fields = header.path("fields");
        return new Frame(
                header.path("id").asLong(0),
                header.path("reply").asBoolean(false),
                header.has("error") ? header.path("error").asString("") : null,
                new Message(
                        header.path("kind").asString(""),
                        fields instanceof ObjectNode object ? object : JSON.createObjectNode(),
                        blobs));
    }

    private static JsonNode header(byte[] text) throws IOException {
        try {
            JsonNode header = JSON.readTree(text);
            if (header.isObject()) {
                return header;
            }
        } catch (JacksonException | StackOverflowError e) {
            throw new IOException("a header that is not JSON: the protocol is broken", e);
        }
        throw new IOException("a header that is no object: the protocol is broken");
    }

    /** Allocates as the bytes come, so that a length alone costs nothing. */
    private static byte[] exactly(DataInputStream in, int byteCount) throws IOException {
        byte[] bytes = in.readNBytes(byteCount);
        if (bytes.length != byteCount) {
            throw new EOFException("the stream ended inside a frame");
        }
        return bytes;
    }
}
