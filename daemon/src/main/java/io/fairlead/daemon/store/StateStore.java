package io.fairlead.daemon.store;

import io.fairlead.node.journal.DurableFile;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The objects of one daemon by key, such as {@code device/disk0}. What {@link #commit} has written outlasts the process and
 * the host; a change that was cut off is as if it had never been made. The file is a journal of {@link JournalRecord}s, written
 * anew when most of it is history. One process at a time has a folder. Thread-safe.
 */
public final class StateStore implements Closeable {
    /** The journal's name in the folder. */
    static final String FILE = "state.journal";

    private static final Logger LOG = LoggerFactory.getLogger(StateStore.class);
    private static final String LOCK = "lock";

    /** A journal below this is left as it is, however much of it is history. */
    private static final int SMALL_BYTES = 1 << 20;

    private static final int MAX_BYTES = 1 << 30;

    private final Path file;
    private final FileChannel lockFile;
    private final SortedMap<String, ObjectNode> objects;
    private FileChannel channel;
    private long lengthBytes;

    /** When it was last written anew. */
    private long compactedBytes;

    private @Nullable IOException broken;

    private StateStore(Path file, FileChannel lockFile, SortedMap<String, ObjectNode> objects, FileChannel channel)
            throws IOException {
        this.file = file;
        this.lockFile = lockFile;
        this.objects = objects;
        this.channel = channel;
        this.lengthBytes = channel.size();
    }

    /**
     * Opens the state in a folder, which is made where it is missing.
     *
     * @throws IOException where another process has it, or it is damaged: the message has the place and the remedy
     */
    public static StateStore open(Path folder) throws IOException {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            DurableFile.write(file, JournalRecord.HEADER.encode());
        }
        FileChannel lockFile = lock(folder);
        try {
            long size = Files.size(file);
            if (size > MAX_BYTES) {
                throw new IOException("%s has %d bytes and is no state of a daemon".formatted(file, size));
            }
            byte[] bytes = Files.readAllBytes(file);
            SortedMap<String, ObjectNode> objects = new TreeMap<>();
            int sound = replay(file, bytes, objects);
            FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
            try {
                if (sound < bytes.length) {
                    LOG.warn("{}: the last change was cut off and is left out ({} bytes)", file, bytes.length - sound);
                    channel.truncate(sound);
                    channel.force(true);
                }
                return new StateStore(file, lockFile, objects, channel);
            } catch (IOException | RuntimeException e) {
                channel.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            lockFile.close();
            throw e;
        }
    }

    private static FileChannel lock(Path folder) throws IOException {
        FileChannel lockFile =
                FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = null;
        try {
            lock = lockFile.tryLock();
        } catch (OverlappingFileLockException e) {
            LOG.debug("this process has it", e);
        }
        if (lock == null) {
            lockFile.close();
            throw new IOException(
                    "the folder %s is another daemon's, which runs: stop it, or give this one a folder of its own"
                            .formatted(folder));
        }
        return lockFile;
    }

    /** Returns how many bytes are sound; what follows is a record that was cut off. */
    private static int replay(Path file, byte[] bytes, SortedMap<String, ObjectNode> objects) throws IOException {
        int at = 0;
        boolean first = true;
        while (at < bytes.length) {
            int end = JournalRecord.end(bytes, at);
            JournalRecord record = end < 0 ? null : JournalRecord.decode(bytes, at, end);
            if (record == null) {
                if (first || JournalRecord.hasSoundAfter(bytes, at)) {
                    throw new IOException(
                            "%s is damaged at byte %d: restore it from a copy, or move it away to start without state"
                                    .formatted(file, at));
                }
                return at;
            }
            if (first) {
                record.checkHeader(file);
                first = false;
            } else {
                record.apply(objects);
            }
            at = end;
        }
        if (first) {
            throw new IOException(
                    "%s is empty: restore it from a copy, or remove it to start without state".formatted(file));
        }
        return at;
    }

    /** A copy of an object. */
    public synchronized Optional<ObjectNode> get(String key) {
        ObjectNode value = objects.get(key);
        return value == null ? Optional.empty() : Optional.of(value.deepCopy());
    }

    /** Copies of the objects whose keys begin so, by what follows, in its order. */
    public synchronized SortedMap<String, ObjectNode> list(String prefix) {
        SortedMap<String, ObjectNode> found = new TreeMap<>();
        objects.tailMap(prefix).entrySet().stream()
                .takeWhile(entry -> entry.getKey().startsWith(prefix))
                .forEach(entry -> found.put(
                        entry.getKey().substring(prefix.length()),
                        entry.getValue().deepCopy()));
        return found;
    }

    /**
     * Makes a change; it outlasts the host from the return on.
     *
     * @throws IOException where it cannot be written: nothing has changed then
     */
    public synchronized void commit(Change change) throws IOException {
        if (broken != null) {
            throw new IOException("the state cannot be written since %s; restart the daemon".formatted(broken), broken);
        }
        JournalRecord record = JournalRecord.of(change);
        byte[] bytes = record.encode();
        if (lengthBytes + bytes.length > Math.max(SMALL_BYTES, 2 * compactedBytes)) {
            compact();
        }
        append(bytes);
        record.apply(objects);
    }

    private void append(byte[] bytes) throws IOException {
        try {
            JournalRecord.write(channel, bytes, lengthBytes);
        } catch (IOException e) {
            takeBack(e);
            throw new IOException("%s: %s".formatted(file, e.getMessage()), e);
        }
        try {
            channel.force(false);
        } catch (IOException e) {
            // What of it is on the disk is not known, and asking again would not tell.
            broken = e;
            throw new IOException("%s: %s".formatted(file, e.getMessage()), e);
        }
        lengthBytes += bytes.length;
    }

    /** Such as of a full disk. */
    private void takeBack(IOException reason) {
        try {
            channel.truncate(lengthBytes);
        } catch (IOException e) {
            reason.addSuppressed(e);
            broken = reason;
        }
    }

    private void compact() throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(JournalRecord.HEADER.encode());
        objects.forEach((key, value) ->
                all.writeBytes(JournalRecord.of(Change.ofPut(key, value)).encode()));
        DurableFile.write(file, all.toByteArray());
        FileChannel anew = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
        channel.close();
        channel = anew;
        lengthBytes = all.size();
        compactedBytes = lengthBytes;
        LOG.debug("{} was written anew: {} objects, {} bytes", file, objects.size(), lengthBytes);
    }

    /** How long the journal is. */
    synchronized long lengthBytes() {
        return lengthBytes;
    }

    @Override
    public synchronized void close() throws IOException {
        try (lockFile) {
            channel.close();
        }
    }
}
