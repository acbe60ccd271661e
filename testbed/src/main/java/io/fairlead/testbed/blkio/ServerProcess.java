package io.fairlead.testbed.blkio;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * A server that runs as a process of its own and writes what it has to say to a log file. Ended by {@link #close}; the
 * caller sees to that at the end of its own process too. Any thread.
 */
public final class ServerProcess implements AutoCloseable {
    private static final Duration END_TIMEOUT = Duration.ofSeconds(5);
    private static final long POLL_MILLIS = 5;
    private static final int SHOWN_CHARS = 2000;

    private final String name;
    private final Process process;
    private final Path log;

    private ServerProcess(String name, Process process, Path log) {
        this.name = name;
        this.process = process;
        this.log = log;
    }

    /**
     * Starts a program.
     *
     * @param name what error messages call it
     * @param log where its standard output and standard error go
     */
    public static ServerProcess start(String name, ProcessBuilder builder, Path log) throws IOException {
        Process process = builder.redirectInput(
                        ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        return new ServerProcess(name, process, log);
    }

    /**
     * Waits until the server is ready.
     *
     * @param isReady is given what the server has written so far
     * @throws IOException where it ends first or takes longer; the message has the last that it wrote. The server is
     *     ended then
     */
    public void awaitReady(Predicate<String> isReady, Duration timeout) throws IOException {
        boolean ready = false;
        long deadline = System.nanoTime() + timeout.toNanos();
        try {
            while (!ready) {
                // Whether it lives is asked first: what it wrote before its end is complete then.
                boolean alive = process.isAlive();
                String written = written();
                ready = isReady.test(written);
                if (!ready && !alive) {
                    throw new IOException("%s ended with exit code %d before it was ready: %s"
                            .formatted(name, process.exitValue(), tail(written)));
                }
                if (!ready && System.nanoTime() > deadline) {
                    throw new IOException(
                            "%s was not ready within %d s: %s".formatted(name, timeout.toSeconds(), tail(written)));
                }
                if (!ready) {
                    Thread.sleep(POLL_MILLIS);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while " + name + " started", e);
        } finally {
            if (!ready) {
                close();
            }
        }
    }

    /** The process's number. */
    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** All that the server has written. */
    public String written() throws IOException {
        return new String(Files.readAllBytes(log), StandardCharsets.UTF_8);
    }

    /** Asks the server to end, kills it where it does not within 5 s; further calls do nothing. */
    @Override
    public void close() {
        process.destroy();
        boolean interrupted = false;
        try {
            if (!process.waitFor(END_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly().waitFor(END_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (InterruptedException e) {
            interrupted = true;
            process.destroyForcibly();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static String tail(String text) {
        String stripped = text.strip();
        if (stripped.isEmpty()) {
            return "it wrote nothing";
        }
        return stripped.length() <= SHOWN_CHARS
                ? stripped
                : "..." + stripped.substring(stripped.length() - SHOWN_CHARS);
    }

    @Override
    public String toString() {
        return name + " (process " + process.pid() + ")";
    }
}
