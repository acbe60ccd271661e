package io.fairlead.daemon.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * One line of the journal: the CRC-32C of what follows in eight hexadecimal digits, a blank, JSON, a line feed. The first
 * is {@code {"fairleadState":1}}, each other one a change: {@code {"put":{KEY:OBJECT,...},"delete":[KEY,...]}}.
 */
final class JournalRecord {
    private static final JsonMapper JSON = new JsonMapper();
    private static final String FORMAT = "fairleadState";
    private static final int VERSION = 1;
    private static final int HEAD_CHARS = 9;

    /** The first of a file. */
    static final JournalRecord HEADER =
            new JournalRecord(JSON.createObjectNode().put(FORMAT, VERSION));

    private final ObjectNode body;

    private JournalRecord(ObjectNode body) {
        this.body = body;
    }

    static JournalRecord of(Change change) {
        ObjectNode body = JSON.createObjectNode();
        if (!change.put().isEmpty()) {
            body.putObject("put").setAll(change.put());
        }
        change.deleted().forEach(key -> body.withArray("delete").add(key));
        return new JournalRecord(body);
    }

    void checkHeader(Path file) throws IOException {
        int version = body.path(FORMAT).asInt(-1);
        if (version < 0) {
            throw new IOException(file + " is no state of a daemon");
        }
        if (version > VERSION) {
            throw new IOException("%s was written by a newer Fairlead (format %d, this one knows %d): start that one"
                    .formatted(file, version, VERSION));
        }
    }

    void apply(SortedMap<String, ObjectNode> objects) {
        body.path("put").properties().forEach(entry -> {
            if (entry.getValue() instanceof ObjectNode value) {
                objects.put(entry.getKey(), value);
            }
        });
        body.path("delete").forEach(key -> objects.remove(key.asString("")));
    }

    byte[] encode() {
        byte[] json = JSON.writeValueAsBytes(body);
        byte[] head = head(json, 0, json.length).getBytes(StandardCharsets.US_ASCII);
        byte[] line = Arrays.copyOf(head, HEAD_CHARS + json.length + 1);
        System.arraycopy(json, 0, line, HEAD_CHARS, json.length);
        line[line.length - 1] = '\n';
        return line;
    }

    private static String head(byte[] bytes, int from, int length) {
        CRC32C checksum = new CRC32C();
        checksum.update(bytes, from, length);
        return "%08x ".formatted(checksum.getValue());
    }

    /** Behind the line that begins here; -1 where it has no end. */
    static int end(byte[] bytes, int from) {
        for (int i = from; i < bytes.length; i++) {
            if (bytes[i] == '\n') {
                return i + 1;
            }
        }
        return -1;
    }

    /** The record from..end, its line feed included; null where it is not sound. */
    static @Nullable JournalRecord decode(byte[] bytes, int from, int end) {
        int json = from + HEAD_CHARS;
        int length = end - 1 - json;
        if (length <= 0
                || !head(bytes, json, length).equals(new String(bytes, from, HEAD_CHARS, StandardCharsets.US_ASCII))) {
            return null;
        }
        try {
            JsonNode body = JSON.readTree(bytes, json, length);
            return body instanceof ObjectNode object ? new JournalRecord(object) : null;
        } catch (JacksonException e) {
            return null;
        }
    }

    /** Whether a sound record follows one that is not: then that one was not cut off, but damaged. */
    static boolean hasSoundAfter(byte[] bytes, int from) {
        int at = end(bytes, from);
        while (at >= 0 && at < bytes.length) {
            int end = end(bytes, at);
            if (end >= 0 && decode(bytes, at, end) != null) {
                return true;
            }
            at = end;
        }
        return false;
    }

    static void write(FileChannel channel, byte[] bytes, long offset) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        long at = offset;
        while (buffer.hasRemaining()) {
            at += channel.write(buffer, at);
        }
    }
}
