package io.fairlead.testbed.blkio;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A running qemu-storage-daemon that serves a raw file as vhost-user-blk devices. Closing ends it and removes its
 * sockets. Any thread.
 */
public final class StorageDaemon implements AutoCloseable {
    private static final Duration START_TIMEOUT = Duration.ofSeconds(20);
    private static final Pattern VERSION = Pattern.compile("qemu-storage-daemon version (\\d+(?:\\.\\d+)*)");

    private final ServerProcess process;
    private final Path folder;
    private final List<Path> sockets;

    private StorageDaemon(ServerProcess process, Path folder, List<Path> sockets) {
        this.process = process;
        this.folder = folder;
        this.sockets = sockets;
    }

    /** How the daemon reads and writes the file. */
    public enum Aio {
        IO_URING,
        THREADS;

        private String option() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * What to serve, and how.
     *
     * @param command the start of the command line: the program, or a loader with the program
     * @param file the raw image
     * @param aio how it is read and written
     * @param direct whether the page cache is passed by (O_DIRECT)
     * @param writable whether guests may write
     * @param locking whether the file is locked against a second writer
     * @param queues virtqueues of each device
     * @param sockets one device each, all of the same file
     */
    public record Spec(
            List<String> command,
            Path file,
            Aio aio,
            boolean direct,
            boolean writable,
            boolean locking,
            int queues,
            List<Path> sockets) {
        public Spec {
            command = List.copyOf(command);
            sockets = List.copyOf(sockets);
        }

        /** One device with one queue, writable, through the page cache, with locks. */
        public static Spec of(List<String> command, Path file, Path socket) {
            return new Spec(command, file, Aio.IO_URING, false, true, true, 1, List.of(socket));
        }

        List<String> arguments(Path pidFile) {
            List<String> words = new ArrayList<>(command);
            words.add("--blockdev");
            words.add(
                    "driver=file,node-name=file,filename=%s,aio=%s,cache.direct=%s,read-only=%s,locking=%s,discard=unmap"
                            .formatted(escaped(file), aio.option(), onOff(direct), onOff(!writable), onOff(locking)));
            words.add("--blockdev");
            words.add("driver=raw,node-name=disk,file=file,read-only=%s,discard=unmap".formatted(onOff(!writable)));
            for (int i = 0; i < sockets.size(); i++) {
                words.add("--export");
                words.add(
                        "type=vhost-user-blk,id=export%d,node-name=disk,addr.type=unix,addr.path=%s,writable=%s,num-queues=%d"
                                .formatted(i, escaped(sockets.get(i)), onOff(writable), queues));
            }
            words.add("--pidfile");
            words.add(pidFile.toString());
            return words;
        }

        /** In QEMU's options a comma is written twice. */
        private static String escaped(Path path) {
            return path.toString().replace(",", ",,");
        }

        private static String onOff(boolean on) {
            return on ? "on" : "off";
        }
    }

    /**
     * Starts the daemon and waits until its sockets listen.
     *
     * @throws IOException where it does not start; the message has what it wrote
     */
    public static StorageDaemon start(Spec spec) throws IOException {
        Path folder = Files.createTempDirectory("fairlead-qsd");
        boolean started = false;
        try {
            // Written when all exports are there.
            Path pidFile = folder.resolve("pid");
            ServerProcess process = ServerProcess.start(
                    "qemu-storage-daemon", new ProcessBuilder(spec.arguments(pidFile)), folder.resolve("log"));
            process.awaitReady(written -> Files.exists(pidFile), START_TIMEOUT);
            started = true;
            return new StorageDaemon(process, folder, spec.sockets());
        } finally {
            if (!started) {
                delete(folder);
            }
        }
    }

    /**
     * The version that a program gives itself.
     *
     * @param command as in {@link Spec}
     * @throws IOException where it is no qemu-storage-daemon
     */
    public static String version(List<String> command) throws IOException {
        List<String> words = new ArrayList<>(command);
        words.add("--version");
        Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
        try {
            String output = new String(process.getInputStream().readNBytes(4096), StandardCharsets.UTF_8);
            process.waitFor(START_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
            Matcher matcher = VERSION.matcher(output);
            if (!matcher.find()) {
                throw new IOException("%s is no qemu-storage-daemon: --version printed \"%s\""
                        .formatted(command.getLast(), output.strip()));
            }
            return matcher.group(1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while " + command.getLast() + " was asked for its version", e);
        } finally {
            process.destroyForcibly();
        }
    }

    /** The process's number. */
    public long pid() {
        return process.pid();
    }

    /** The sockets that it listens on. */
    public List<Path> sockets() {
        return sockets;
    }

    /** Ends the daemon; further calls do nothing. */
    @Override
    public void close() {
        process.close();
        for (Path socket : sockets) {
            deleteFile(socket);
        }
        delete(folder);
    }

    private static void delete(Path folder) {
        try (Stream<Path> files = Files.exists(folder) ? Files.list(folder) : Stream.empty()) {
            files.forEach(StorageDaemon::deleteFile);
        } catch (IOException e) {
            // A folder for temporary files that stays harms nobody.
        }
        deleteFile(folder);
    }

    private static void deleteFile(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // As above.
        }
    }

    @Override
    public String toString() {
        return process.toString();
    }
}
