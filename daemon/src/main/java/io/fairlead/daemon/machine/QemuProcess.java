package io.fairlead.daemon.machine;

import io.fairlead.qemu.Options;
import io.fairlead.qemu.QemuBinary;
import io.fairlead.qemu.Qmp;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A QEMU that outlives the daemon: in a session of its own, found again by the monitor's socket on its command line. Any
 * thread.
 */
final class QemuProcess {
    private static final Logger LOG = LoggerFactory.getLogger(QemuProcess.class);
    private static final Duration ANSWER = Duration.ofSeconds(60);
    private static final Duration TERMINATION = Duration.ofSeconds(5);
    private static final Duration KILL = Duration.ofSeconds(10);
    private static final int CONNECT_POLL_MILLIS = 5;
    private static final int ERROR_BYTES = 4096;

    private final ProcessHandle handle;
    private final MachineFolder folder;

    private QemuProcess(ProcessHandle handle, MachineFolder folder) {
        this.handle = handle;
        this.folder = folder;
    }

    /**
     * Starts one; whether it runs is told by {@link #connect}.
     *
     * @param arguments with {@link #monitorOption} of the folder
     */
    static QemuProcess launch(
            QemuBinary qemu, List<String> arguments, MachineFolder folder, java.util.Map<String, String> environment)
            throws IOException {
        ProcessBuilder builder = qemu.processBuilder(arguments)
                .directory(folder.path().toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectOutput(folder.errorLog().toFile())
                .redirectErrorStream(true);
        builder.environment().putAll(environment);
        Files.write(folder.commandFile(), builder.command());
        return new QemuProcess(builder.start().toHandle(), folder);
    }

    /** What stands on the command line of a machine's QEMU and of nothing else. */
    static String monitorOption(MachineFolder folder) {
        return "unix:" + Options.escape(folder.monitor().toString()) + ",server=on,wait=off";
    }

    /** The QEMU of a folder, whoever started it. */
    static Optional<QemuProcess> find(MachineFolder folder) throws IOException {
        byte[] wanted = ("\0" + monitorOption(folder) + "\0").getBytes(StandardCharsets.UTF_8);
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                if (contains(commandLine(process), wanted)) {
                    long pid = Long.parseLong(process.getFileName().toString());
                    Optional<ProcessHandle> handle = ProcessHandle.of(pid).filter(ProcessHandle::isAlive);
                    if (handle.isPresent()) {
                        return Optional.of(new QemuProcess(handle.get(), folder));
                    }
                }
            }
        }
        return Optional.empty();
    }

    private static byte[] commandLine(Path process) {
        try {
            return Files.readAllBytes(process.resolve("cmdline"));
        } catch (IOException e) {
            // It ended while we looked.
            return new byte[0];
        }
    }

    private static boolean contains(byte[] bytes, byte[] wanted) {
        for (int i = 0; i + wanted.length <= bytes.length; i++) {
            if (Arrays.equals(bytes, i, i + wanted.length, wanted, 0, wanted.length)) {
                return true;
            }
        }
        return false;
    }

    long pid() {
        return handle.pid();
    }

    boolean isAlive() {
        return handle.isAlive();
    }

    /** Runs something when it has ended, at once where it has. */
    void whenEnded(Runnable action) {
        var _ = handle.onExit().thenRun(action);
    }

    /**
     * Waits until its monitor answers.
     *
     * @throws IOException where it ends or does not answer; the message has what it wrote
     */
    Qmp connect() throws IOException {
        long end = System.nanoTime() + ANSWER.toNanos();
        IOException last = null;
        while (System.nanoTime() < end) {
            if (Files.exists(folder.monitor())) {
                try {
                    return Qmp.connect(folder.monitor(), ANSWER);
                } catch (IOException e) {
                    // Bound, and not listening yet; or it is about to end, which the next round tells.
                    last = e;
                }
            }
            if (!handle.isAlive()) {
                throw new IOException("QEMU ended at its start: " + errorOutput());
            }
            try {
                Thread.sleep(CONNECT_POLL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
        throw new IOException("QEMU's monitor does not answer: " + errorOutput(), last);
    }

    /** The end of what it wrote to its standard error. */
    String errorOutput() {
        return errorOutput(folder);
    }

    /** The end of what a machine's QEMU wrote to its standard error. */
    static String errorOutput(MachineFolder folder) {
        try {
            byte[] bytes = Files.readAllBytes(folder.errorLog());
            int from = Math.max(0, bytes.length - ERROR_BYTES);
            String text = new String(bytes, from, bytes.length - from, StandardCharsets.UTF_8).strip();
            return text.isEmpty() ? "it wrote nothing to its standard error" : text;
        } catch (IOException e) {
            return "its standard error cannot be read: " + e.getMessage();
        }
    }

    /** Ends it, by force where it does not end when it is told; returns when it is gone. */
    void end() throws IOException {
        if (!handle.isAlive()) {
            return;
        }
        boolean _ = handle.destroy();
        if (!awaitEnd(TERMINATION)) {
            LOG.warn("{}: QEMU {} does not end when it is told, and is killed", folder.path(), pid());
            boolean _ = handle.destroyForcibly();
            if (!awaitEnd(KILL)) {
                throw new IOException(
                        "QEMU %d does not end after it was killed: look for a process that hangs in the kernel"
                                .formatted(pid()));
            }
        }
    }

    /** Waits for its end; false where time ran out. */
    boolean awaitEnd(Duration timeout) throws IOException {
        try {
            ProcessHandle _ = handle.onExit().get(timeout.toNanos(), TimeUnit.NANOSECONDS);
            return true;
        } catch (TimeoutException e) {
            return !handle.isAlive();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } catch (ExecutionException e) {
            throw new IOException(e);
        }
    }
}
