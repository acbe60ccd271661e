package io.fairlead.testbed;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The cache folder. What is complete in it is never changed; what is being made is made under {@link #lock}, which keeps
 * out other threads and other processes. Any thread.
 *
 * @param directory the folder, an absolute path
 */
record Cache(Path directory) {
    /** File locks belong to the whole process: threads need a lock of their own. */
    private static final ReentrantLock PROCESS_LOCK = new ReentrantLock();

    Cache {
        directory = directory.toAbsolutePath().normalize();
    }

    /** $FAIRLEAD_CACHE, else $XDG_CACHE_HOME/fairlead, else ~/.cache/fairlead. */
    static Cache ofEnvironment(Map<String, String> environment, String home) {
        String own = environment.getOrDefault("FAIRLEAD_CACHE", "");
        if (!own.isEmpty()) {
            return new Cache(Path.of(own));
        }
        String xdg = environment.getOrDefault("XDG_CACHE_HOME", "");
        // A relative path there is to be ignored, says the base directory specification.
        if (xdg.startsWith("/")) {
            return new Cache(Path.of(xdg, "fairlead"));
        }
        return new Cache(Path.of(home, ".cache", "fairlead"));
    }

    Path resolve(String relative) {
        return directory.resolve(relative);
    }

    /** Takes the lock; waits where another thread or process holds it. */
    Held lock() throws IOException {
        PROCESS_LOCK.lock();
        if (PROCESS_LOCK.getHoldCount() > 1) {
            // An outer hold of this thread has the file's lock. Opening the file again would drop that one on closing.
            return new Held(null);
        }
        boolean locked = false;
        FileChannel channel = null;
        try {
            channel = openLock();
            // Released with its channel.
            FileLock _ = channel.lock();
            locked = true;
            return new Held(channel);
        } finally {
            if (!locked) {
                if (channel != null) {
                    channel.close();
                }
                PROCESS_LOCK.unlock();
            }
        }
    }

    private FileChannel openLock() throws IOException {
        try {
            Files.createDirectories(directory);
            return FileChannel.open(directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (AccessDeniedException e) {
            throw new IOException(
                    "the cache folder %s cannot be written (%s): permission denied; have FAIRLEAD_CACHE name another one"
                            .formatted(directory, e.getFile()),
                    e);
        }
    }

    /** Writes a file so that it is there whole or not at all, also after a crash. */
    static void writeAtomically(Path file, String text) throws IOException {
        Path part = file.resolveSibling(file.getFileName() + ".part");
        try (FileChannel channel = FileChannel.open(
                part, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Deletes a folder with all that is in it; links are deleted, not followed. */
    static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException error) throws IOException {
                if (error != null) {
                    throw error;
                }
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** A held lock. */
    static final class Held implements AutoCloseable {
        private final @Nullable FileChannel channel;

        private Held(@Nullable FileChannel channel) {
            this.channel = channel;
        }

        @Override
        public void close() throws IOException {
            try {
                if (channel != null) {
                    channel.close();
                }
            } finally {
                PROCESS_LOCK.unlock();
            }
        }
    }
}
