package io.fairlead.node.journal;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a node wrote down about one migration: a file of records, each a line of a CRC-32C and JSON. The file has its
 * whole length from the start, so that a record is one write without a change of metadata; a record that was cut off is
 * as if it had never been written, and so is all that follows it.
 *
 * <p>A record is seen by the next process of this host as soon as {@link #append} returns, whoever is killed; {@link
 * #force} makes it outlast the host. Thread-safe.
 */
public final class MigrationJournal implements Closeable {
    static final int FILE_BYTES = 64 << 10;

    private static final Logger LOG = LoggerFactory.getLogger(MigrationJournal.class);
    private static final JsonMapper JSON = new JsonMapper();
    private static final String SUFFIX = ".journal";
    private static final int CHECKSUM_CHARS = 8;

    private final UUID id;
    private final Path file;
    private final FileChannel channel;
    private final ObjectNode begun;
    private Step last;
    private String reason;
    private int length;

    private MigrationJournal(
            UUID id, Path file, FileChannel channel, ObjectNode begun, Step last, String reason, int length) {
        this.id = id;
        this.file = file;
        this.channel = channel;
        this.begun = begun;
        this.last = last;
        this.reason = reason;
        this.length = length;
    }

    /**
     * Begins a journal; it outlasts the host from the return on.
     *
     * @param begun what the next process needs to know
     */
    public static MigrationJournal begin(Path folder, UUID id, ObjectNode begun) throws IOException {
        Path file = folder.resolve(id + SUFFIX);
        if (Files.exists(file)) {
            throw new IOException("migration " + id + " has a journal already: " + file);
        }
        byte[] record = record(Step.BEGUN, "", begun);
        DurableFile.write(file, Arrays.copyOf(record, FILE_BYTES));
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
        return new MigrationJournal(id, file, channel, begun, Step.BEGUN, "", record.length);
    }

    /** Opens all journals of a folder; what is no journal is logged and left alone. */
    public static List<MigrationJournal> openAll(Path folder) throws IOException {
        List<MigrationJournal> found = new ArrayList<>();
        for (Path file : files(folder)) {
            MigrationJournal journal = open(file);
            if (journal == null) {
                LOG.error("{} is no journal of a migration; it is left as it is", file);
            } else {
                found.add(journal);
            }
        }
        return found;
    }

    /** The journals of a folder that nobody has opened; none where there is no folder. */
    public static List<Path> files(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(path -> path.toString().endsWith(SUFFIX))
                    .sorted(Comparator.naturalOrder())
                    .toList();
        }
    }

    private static @Nullable MigrationJournal open(Path file) throws IOException {
        String name = file.getFileName().toString();
        UUID id;
        try {
            id = UUID.fromString(name.substring(0, name.length() - SUFFIX.length()));
        } catch (IllegalArgumentException e) {
            return null;
        }
        if (Files.size(file) > FILE_BYTES) {
            return null;
        }
        byte[] bytes = Files.readAllBytes(file);
        ObjectNode begun = null;
        Step last = Step.BEGUN;
        String reason = "";
        int length = 0;
        while (length < bytes.length) {
            int end = length;
            while (end < bytes.length && bytes[end] != '\n') {
                end++;
            }
            JsonNode record = end < bytes.length ? parse(bytes, length, end) : null;
            Step step = record == null ? null : step(record);
            if (record == null || step == null) {
                break;
            }
            if (begun == null) {
                if (!(record.path("data") instanceof ObjectNode data) || step != Step.BEGUN) {
                    return null;
                }
                begun = data;
            }
            last = step;
            reason = record.path("reason").asString("");
            length = end + 1;
        }
        if (begun == null) {
            return null;
        }
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            // What a record that was cut off left behind must not join the next one. Else it keeps the time of its last
            // step.
            if (bytes.length < FILE_BYTES || !isBlank(bytes, length)) {
                write(channel, new byte[FILE_BYTES - length], length);
                channel.force(true);
            }
            return new MigrationJournal(id, file, channel, begun, last, reason, length);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static boolean isBlank(byte[] bytes, int from) {
        for (int i = from; i < bytes.length; i++) {
            if (bytes[i] != 0) {
                return false;
            }
        }
        return true;
    }

    /** When a step was written the last time, or what a cut off one left was removed. */
    public FileTime changedAt() throws IOException {
        return Files.getLastModifiedTime(file);
    }

    public UUID id() {
        return id;
    }

    /** What was written at the beginning. */
    public ObjectNode begun() {
        return begun;
    }

    /** The last step that was written. */
    public synchronized Step last() {
        return last;
    }

    /** Why, of the last step; empty where nothing was said. */
    public synchronized String reason() {
        return reason;
    }

    /** A file of the same migration beside the journal. */
    public Path sibling(String suffix) {
        return file.resolveSibling(id + suffix);
    }

    /**
     * Writes a step down.
     *
     * @param why for the operator; may be empty
     */
    public synchronized void append(Step step, String why) throws IOException {
        byte[] record = record(step, why, JSON.createObjectNode());
        if (length + record.length > FILE_BYTES) {
            throw new IOException(file + " is full");
        }
        write(channel, record, length);
        length += record.length;
        last = step;
        reason = why;
    }

    /** Returns when all that was written outlasts the host. */
    public void force() throws IOException {
        channel.force(false);
    }

    /** Removes it: nobody will ask any more. */
    public void delete() throws IOException {
        channel.close();
        Files.deleteIfExists(file);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private static byte[] record(Step step, String why, ObjectNode data) throws IOException {
        ObjectNode node = JSON.createObjectNode();
        node.put("step", step.name());
        if (!why.isEmpty()) {
            node.put("reason", why.length() <= 2000 ? why : why.substring(0, 2000));
        }
        node.set("data", data);
        byte[] json = JSON.writeValueAsBytes(node);
        CRC32C checksum = new CRC32C();
        checksum.update(json);
        byte[] head = "%08x ".formatted(checksum.getValue()).getBytes(StandardCharsets.US_ASCII);
        byte[] record = Arrays.copyOf(head, head.length + json.length + 1);
        System.arraycopy(json, 0, record, head.length, json.length);
        record[record.length - 1] = '\n';
        if (record.length > FILE_BYTES / 2) {
            throw new IOException("a record of %d bytes is too long for a journal".formatted(record.length));
        }
        return record;
    }

    private static @Nullable JsonNode parse(byte[] bytes, int from, int to) {
        int json = from + CHECKSUM_CHARS + 1;
        if (json >= to) {
            return null;
        }
        CRC32C checksum = new CRC32C();
        checksum.update(bytes, json, to - json);
        String head = new String(bytes, from, CHECKSUM_CHARS + 1, StandardCharsets.US_ASCII);
        if (!head.equals("%08x ".formatted(checksum.getValue()))) {
            return null;
        }
        try {
            return JSON.readTree(bytes, json, to - json);
        } catch (JacksonException e) {
            return null;
        }
    }

    private static @Nullable Step step(JsonNode record) {
        String name = record.path("step").asString("");
        return Arrays.stream(Step.values())
                .filter(step -> step.name().equals(name))
                .findFirst()
                .orElse(null);
    }

    private static void write(FileChannel channel, byte[] bytes, long offset) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        long at = offset;
        while (buffer.hasRemaining()) {
            at += channel.write(buffer, at);
        }
    }
}
