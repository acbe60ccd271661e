package io.fairlead.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running QEMU with its monitor and serial ports. Everything it makes lies in one work folder: {@code qmp.sock},
 * {@code serial0.log} and so on, {@code qemu-stderr.log}, {@code qemu-command.txt}. Any thread may use it.
 * {@link #close} ends the process by its own process handle; the logs stay. The process also ends with this JVM, unless
 * that is killed.
 */
public final class Machine implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Machine.class);
    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
    private static final Duration KILL_TIMEOUT = Duration.ofSeconds(10);
    private static final int CONNECT_POLL_MILLIS = 10;
    private static final int STDERR_SHOWN_BYTES = 4096;

    private final MachineDefinition spec;
    private final Process process;
    private final Path workDirectory;
    private final List<String> commandLine;
    private final List<SerialPort> serialPorts;
    private final Qmp qmp;
    private final Thread shutdownHook;

    private Machine(
            MachineDefinition spec,
            Process process,
            Path workDirectory,
            List<String> commandLine,
            List<SerialPort> serialPorts,
            Qmp qmp,
            Thread shutdownHook) {
        this.spec = spec;
        this.process = process;
        this.workDirectory = workDirectory;
        this.commandLine = commandLine;
        this.serialPorts = serialPorts;
        this.qmp = qmp;
        this.shutdownHook = shutdownHook;
    }

    /**
     * Starts a machine and waits until its monitor answers.
     *
     * @param workDirectory an existing folder of this machine alone, with a short path (Unix sockets lie in it)
     * @throws IOException where QEMU ends or does not answer; the message has what QEMU wrote to its standard error
     */
    public static Machine start(QemuBinary qemu, MachineDefinition spec, Path workDirectory) throws IOException {
        Path folder = workDirectory.toAbsolutePath();
        return start(qemu, spec, folder, listen(folder, spec.serialPortCount()));
    }

    /**
     * Starts a machine that takes over from another one: its serial ports are the other's too, so that what the guest
     * writes here follows what it wrote there. Which of the two is written to is said by {@link #takeSerialInput}.
     *
     * @param before a machine with as many serial ports, still open
     * @param workDirectory as for a machine alone; not that of the other
     */
    public static Machine startSuccessor(QemuBinary qemu, MachineDefinition spec, Path workDirectory, Machine before)
            throws IOException {
        if (spec.serialPortCount() != before.serialPorts.size()) {
            throw new IllegalArgumentException("A successor has as many serial ports: " + spec.serialPortCount()
                    + " instead of " + before.serialPorts.size());
        }
        before.serialPorts.forEach(SerialPort::retain);
        return start(qemu, spec, workDirectory.toAbsolutePath(), before.serialPorts);
    }

    private static Machine start(QemuBinary qemu, MachineDefinition spec, Path folder, List<SerialPort> ports)
            throws IOException {
        Process process = null;
        Thread hook = null;
        try {
            Path monitor = folder.resolve("qmp.sock");
            UnixPaths.check(monitor);
            Files.deleteIfExists(monitor);
            List<String> arguments = spec.arguments(
                    qemu.version(),
                    monitor,
                    ports.stream().map(SerialPort::socket).toList());
            ProcessBuilder builder = qemu.processBuilder(arguments)
                    .redirectInput(
                            ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                    .redirectOutput(stderr(folder).toFile())
                    .redirectErrorStream(true);
            builder.environment().putAll(spec.environment());
            Files.write(folder.resolve("qemu-command.txt"), builder.command());
            process = builder.start();
            hook = endWithJvm(process);
            Qmp qmp = connect(process, monitor, folder);
            return new Machine(spec, process, folder, List.copyOf(builder.command()), ports, qmp, hook);
        } catch (IOException | RuntimeException e) {
            if (process != null) {
                kill(process);
            }
            if (hook != null) {
                forget(hook);
            }
            closeAll(ports);
            throw e;
        }
    }

    /** What it was started from. */
    public MachineDefinition spec() {
        return spec;
    }

    /** The whole command line. */
    public List<String> commandLine() {
        return commandLine;
    }

    /** The monitor. */
    public Qmp qmp() {
        return qmp;
    }

    /** The first serial port. */
    public SerialPort console() {
        return serialPorts.getFirst();
    }

    /** A serial port, 0 for the console. */
    public SerialPort serialPort(int index) {
        return serialPorts.get(index);
    }

    /** What is written to the serial ports from now on goes to this machine, and not to one that it took over from. */
    public void takeSerialInput() {
        serialPorts.forEach(SerialPort::writeToLatest);
    }

    public Path workDirectory() {
        return workDirectory;
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /**
     * Waits until QEMU ends.
     *
     * @return its exit code, nothing where time ran out
     */
    public OptionalInt awaitExit(Duration timeout) throws InterruptedException {
        return process.waitFor(timeout.toNanos(), TimeUnit.NANOSECONDS)
                ? OptionalInt.of(process.exitValue())
                : OptionalInt.empty();
    }

    /** The end of what QEMU wrote to its standard output and error. */
    public String errorOutput() {
        return errorOutput(workDirectory);
    }

    /** Ends QEMU at once and waits until it is gone. */
    @Override
    public void close() {
        qmp.close();
        kill(process);
        forget(shutdownHook);
        closeAll(serialPorts);
        try {
            Files.deleteIfExists(workDirectory.resolve("qmp.sock"));
        } catch (IOException e) {
            LOG.debug("Cannot delete the monitor socket of {}", spec.name(), e);
        }
    }

    private static List<SerialPort> listen(Path folder, int count) throws IOException {
        List<SerialPort> ports = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                Path socket = folder.resolve("serial" + i + ".sock");
                Files.deleteIfExists(socket);
                ports.add(SerialPort.listen(socket, folder.resolve("serial" + i + ".log")));
            }
            return List.copyOf(ports);
        } catch (IOException e) {
            closeAll(ports);
            throw e;
        }
    }

    private static Qmp connect(Process process, Path monitor, Path folder) throws IOException {
        long deadlineNanos = System.nanoTime() + START_TIMEOUT.toNanos();
        IOException last = null;
        try {
            while (System.nanoTime() < deadlineNanos) {
                if (Files.exists(monitor)) {
                    try {
                        return Qmp.connect(monitor, START_TIMEOUT);
                    } catch (IOException e) {
                        // Bound but not listening yet, or QEMU is about to end: the next round tells.
                        last = e;
                    }
                }
                if (process.waitFor(CONNECT_POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                    throw new IOException("QEMU ended at its start with exit code " + process.exitValue() + ": "
                            + errorOutput(folder));
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while QEMU started", e);
        }
        throw new IOException(
                "QEMU's monitor did not answer within " + START_TIMEOUT + ": " + errorOutput(folder), last);
    }

    private static Thread endWithJvm(Process process) {
        Thread hook = Thread.ofPlatform().unstarted(process::destroyForcibly);
        Runtime.getRuntime().addShutdownHook(hook);
        return hook;
    }

    private static void forget(Thread hook) {
        try {
            boolean _ = Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is on its way down and runs the hook itself.
            LOG.trace("Shutting down", e);
        }
    }

    private static void kill(Process process) {
        process.destroyForcibly();
        try {
            if (!process.waitFor(KILL_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.warn("QEMU process {} did not end within {} after it was killed", process.pid(), KILL_TIMEOUT);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void closeAll(List<SerialPort> ports) {
        for (SerialPort port : ports) {
            try {
                port.close();
            } catch (IOException e) {
                LOG.debug("Cannot close the serial port {}", port.socket(), e);
            }
        }
    }

    private static Path stderr(Path folder) {
        return folder.resolve("qemu-stderr.log");
    }

    private static String errorOutput(Path folder) {
        try {
            byte[] bytes = Files.readAllBytes(stderr(folder));
            int from = Math.max(0, bytes.length - STDERR_SHOWN_BYTES);
            String text = new String(bytes, from, bytes.length - from, StandardCharsets.UTF_8).strip();
            return text.isEmpty() ? "it wrote nothing to its standard error" : text;
        } catch (IOException e) {
            return "its standard error cannot be read: " + e.getMessage();
        }
    }
}
