package io.fairlead.systemtests;

import io.fairlead.bench.ProcessUsage;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/** {@code fairlead serve}, or another command, as a process of its own, with the launcher's options of the JVM. */
final class ServeProcess implements AutoCloseable {
    private static final Duration TIMEOUT = Duration.ofMinutes(2);
    private static final List<String> JVM_OPTIONS = List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-XX:+UseSerialGC",
            "-Xms16m",
            "-Xmx512m",
            "-Xss512k",
            "-XX:-UsePerfData",
            "-cp",
            System.getProperty("java.class.path"));

    /** All that run: they end with the tests, also where these are broken off. */
    private static final Set<ProcessHandle> RUNNING = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime()
                .addShutdownHook(Thread.ofPlatform().unstarted(() -> RUNNING.forEach(ProcessHandle::destroyForcibly)));
    }

    private final Process process;
    private final List<String> lines = new CopyOnWriteArrayList<>();
    private final CompletableFuture<Long> ready = new CompletableFuture<>();
    private final Thread reader;

    private ServeProcess(Process process) {
        this.process = process;
        ProcessHandle handle = process.toHandle();
        RUNNING.add(handle);
        CompletableFuture<Void> _ = process.onExit().thenRun(() -> RUNNING.remove(handle));
        reader = Thread.ofPlatform().daemon().name("serve-output").start(this::read);
    }

    /** Starts without waiting; the words of a device are those after {@code --device}. */
    static ServeProcess start(String... devices) throws IOException {
        return startBy(List.of(), devices);
    }

    /** The same by a program that in the end replaces itself by the words that follow its own. */
    static ServeProcess startBy(List<String> prefix, String... devices) throws IOException {
        List<String> words = new ArrayList<>(List.of("serve"));
        for (String device : devices) {
            words.add("--device");
            words.add(device);
        }
        return startCommand(prefix, words);
    }

    /** Any command of ours that says {@code ready}. */
    static ServeProcess startCommand(List<String> prefix, List<String> command) throws IOException {
        List<String> words = new ArrayList<>(prefix);
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(JVM_OPTIONS);
        words.add("io.fairlead.cli.Main");
        words.addAll(command);
        return new ServeProcess(new ProcessBuilder(words)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectErrorStream(true)
                .start());
    }

    private void read() {
        try (BufferedReader output = process.inputReader()) {
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                if (line.equals("ready")) {
                    ready.complete(System.nanoTime());
                }
                lines.add(line);
            }
        } catch (IOException e) {
            lines.add("its output broke off: " + e.getMessage());
        }
        ready.completeExceptionally(new IOException("fairlead serve ended before it was ready: " + lines));
    }

    /** Waits until the sockets listen; returns when that was, as {@link System#nanoTime}. */
    long awaitReady() throws IOException, InterruptedException {
        try {
            return ready.get(TIMEOUT.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        } catch (TimeoutException e) {
            throw new IOException("fairlead serve is not ready after " + TIMEOUT + ": " + lines, e);
        }
    }

    /** Waits for the end by itself; returns the exit code. */
    int awaitEnd() throws IOException, InterruptedException {
        if (!process.waitFor(TIMEOUT.toNanos(), TimeUnit.NANOSECONDS)) {
            throw new IOException("fairlead serve did not end: " + lines);
        }
        reader.join();
        return process.exitValue();
    }

    // Signals go by the handle: the process itself would close the output before its reader has all of it.

    /** SIGTERM; returns the exit code. */
    int terminate() throws IOException, InterruptedException {
        process.toHandle().destroy();
        return awaitEnd();
    }

    /** SIGKILL. */
    void kill() throws IOException, InterruptedException {
        process.toHandle().destroyForcibly();
        int _ = awaitEnd();
    }

    /** All that it printed so far, logs included. */
    String output() {
        return String.join("\n", lines);
    }

    /** A value of /proc/PID/status in KiB. */
    long statusKib(String field) throws IOException {
        return Files.readAllLines(proc("status")).stream()
                .filter(line -> line.startsWith(field + ":"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElseThrow(() -> new IOException("/proc has no " + field));
    }

    /** What it has mapped of an image: the page cache's memory, which counts as resident for whoever maps it. */
    long mappedKib(Path image) throws IOException {
        return ProcessUsage.mappedBytes(process.pid(), image) / 1024;
    }

    /** Resident memory without what is shared with guests. */
    long ownResidentKib() throws IOException {
        return statusKib("VmRSS") - statusKib("RssShmem");
    }

    /** Processor time so far in ticks of 10 ms. */
    long cpuTicks() throws IOException {
        String stat = Files.readString(proc("stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
    }

    long descriptorCount() throws IOException {
        try (Stream<Path> descriptors = Files.list(proc("fd"))) {
            return descriptors.count();
        }
    }

    List<String> mappings() throws IOException {
        return Files.readAllLines(proc("maps"));
    }

    private Path proc(String file) {
        return Path.of("/proc", Long.toString(process.pid()), file);
    }

    /** SIGKILL where it still runs. */
    @Override
    public void close() {
        process.toHandle().destroyForcibly();
        process.onExit().join();
    }
}
