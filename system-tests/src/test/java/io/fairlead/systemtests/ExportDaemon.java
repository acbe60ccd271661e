package io.fairlead.systemtests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A qemu-storage-daemon with whatever exports, such as VDUSE devices, that ends with its owner. */
final class ExportDaemon implements AutoCloseable {
    private static final int START_SECONDS = 60;
    private static final int END_SECONDS = 20;

    private final Process process;

    private ExportDaemon(Process process) {
        this.process = process;
    }

    /**
     * Starts it and waits until its exports are there.
     *
     * @param command the daemon's, as of the test-bed
     * @param options what it exports and how
     * @param folder for its log
     */
    static ExportDaemon start(List<String> command, List<String> options, Path folder) throws IOException {
        // Written when the exports are there: the file of a VDUSE device is there before its queues are.
        Path pidFile = folder.resolve("daemon.pid");
        List<String> words = new ArrayList<>(command);
        words.addAll(List.of("--pidfile", pidFile.toString()));
        words.addAll(options);
        Path log = folder.resolve("daemon.log");
        ExportDaemon daemon = new ExportDaemon(new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start());
        boolean ready = false;
        try {
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
            while (!Files.exists(pidFile)) {
                if (!daemon.process.isAlive() || System.nanoTime() > end) {
                    throw new IOException("qemu-storage-daemon exports nothing: " + Files.readString(log));
                }
                Thread.sleep(20);
            }
            ready = true;
            return daemon;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while qemu-storage-daemon started", e);
        } finally {
            if (!ready) {
                daemon.close();
            }
        }
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            process.destroyForcibly();
        }
    }
}
