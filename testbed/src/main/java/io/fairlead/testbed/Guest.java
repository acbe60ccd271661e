package io.fairlead.testbed;

import io.fairlead.qemu.Machine;
import io.fairlead.qemu.MachineSpec;
import io.fairlead.qemu.QemuBinary;
import io.fairlead.qemu.SerialPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A guest that runs a job. The console is the first serial port; what the job emits comes by the second, so that kernel
 * messages cannot cut it. Any thread may use it.
 */
public final class Guest implements AutoCloseable {
    /** What each result line starts with. */
    static final String PREFIX = "@fairlead ";

    private static final String NODE_MONITOR = "node.sock";
    private static final int CONSOLE_LINES_SHOWN = 15;
    private static final Duration END_OF_OUTPUT_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration WRITE_TIMEOUT = Duration.ofSeconds(10);
    private static final JsonMapper JSON = new JsonMapper();

    private final Machine machine;
    private final Path workDirectory;
    private final boolean ownWorkDirectory;
    private final Duration bootTimeout;
    private final long startNanos;
    private volatile long bootedNanos;

    private Guest(
            Machine machine, Path workDirectory, boolean ownWorkDirectory, Duration bootTimeout, long startNanos) {
        this.machine = machine;
        this.workDirectory = workDirectory;
        this.ownWorkDirectory = ownWorkDirectory;
        this.bootTimeout = bootTimeout;
        this.startNanos = startNanos;
        Runnable _ = results().addListener(line -> {
            if (line.startsWith(PREFIX) && line.contains("\"event\":\"booted\"")) {
                bootedNanos = System.nanoTime();
            }
        });
    }

    static Guest start(Testbed testbed, GuestSpec spec) throws IOException {
        return start(testbed, spec, null);
    }

    /** @param before the guest where it runs now, whose serial ports go on; null for one that boots */
    static Guest start(Testbed testbed, GuestSpec spec, @Nullable Guest before) throws IOException {
        Path chosen = spec.workDirectory;
        Path folder = chosen != null ? Files.createDirectories(chosen) : Files.createTempDirectory("fairlead");
        boolean started = false;
        try {
            MachineSpec machineSpec = machineSpec(testbed, spec, folder);
            long startNanos = System.nanoTime();
            QemuBinary qemu = testbed.qemu(spec.release).startedBy(spec.starter);
            Machine machine = before == null
                    ? Machine.start(qemu, machineSpec, folder)
                    : Machine.startSuccessor(qemu, machineSpec, folder, before.machine);
            started = true;
            return new Guest(machine, folder, chosen == null, spec.bootTimeout, startNanos);
        } finally {
            if (!started && chosen == null) {
                Cache.deleteTree(folder);
            }
        }
    }

    private static MachineSpec machineSpec(Testbed testbed, GuestSpec spec, Path folder) throws IOException {
        Path job = folder.resolve("job.sh");
        Files.writeString(job, spec.job);
        MachineSpec.Builder builder = MachineSpec.builder()
                .name(spec.name)
                .accelerator(testbed.accelerator(spec.release))
                .machineType(spec.machineType)
                // Five-level page tables and what they cost an emulated processor are of no use to a small guest.
                .cpu("max,la57=off")
                .memoryMib(spec.memoryMib)
                .processors(spec.processors)
                .extraSerialPorts(1)
                .pciSerialPorts(spec.heartbeats)
                .firmwareFile("opt/fairlead/job", job);
        String arguments = (GuestImages.KERNEL_ARGUMENTS + " " + spec.kernelArguments).strip();
        switch (spec.boot) {
            case DISKLESS ->
                builder.kernel(testbed.kernel().image(), testbed.initramfs(), arguments + " fairlead.root=none");
            case KERNEL -> builder.kernel(testbed.kernel().image(), testbed.bootInitramfs(), arguments);
            case BIOS -> {}
            case UEFI -> {
                Path variables = folder.resolve("uefi-variables.fd");
                Path _ = Files.copy(testbed.uefiVariables(), variables, StandardCopyOption.REPLACE_EXISTING);
                builder.uefi(testbed.uefiCode(), variables);
            }
        }
        if (spec.paused) {
            builder.startPaused();
        }
        if (spec.incoming) {
            builder.arguments("-incoming", "defer");
        }
        if (spec.nodeMonitor) {
            String socket = folder.resolve(NODE_MONITOR).toString().replace(",", ",,");
            builder.arguments("-qmp", "unix:" + socket + ",server=on,wait=off");
        }
        spec.devices.forEach(builder::vhostUser);
        builder.arguments(spec.arguments.toArray(String[]::new));
        if (spec.customizer != null) {
            spec.customizer.accept(builder);
        }
        return builder.build();
    }

    /** The machine, with its monitor. */
    public Machine machine() {
        return machine;
    }

    /** The second monitor's socket, where the guest has one. */
    public Path nodeMonitor() {
        return workDirectory.resolve(NODE_MONITOR);
    }

    /** The end of what its QEMU wrote to its standard error, or that there was nothing. */
    public String errorOutput() {
        return machine.errorOutput();
    }

    /** The console. */
    public SerialPort console() {
        return machine.console();
    }

    /** Everything that the guest reported so far, its own lines (those with an event) included. */
    public List<JsonNode> lines() {
        return results().linesSince(0).stream()
                .map(Guest::parse)
                .filter(Objects::nonNull)
                .toList();
    }

    /**
     * Waits until the job has started.
     *
     * @throws IOException where the guest did not come that far; the message has the end of its console
     */
    public void awaitBoot() throws IOException, InterruptedException {
        awaitLine(line -> line.path("event").asString("").equals("booted"), bootTimeout);
    }

    /**
     * Waits for the first line the guest reported, also one that came before, that fits.
     *
     * @throws IOException where it did not come in time or the guest ended first; the message has the console's end
     */
    public JsonNode awaitLine(Predicate<JsonNode> wanted, Duration timeout) throws IOException, InterruptedException {
        Optional<String> line = results()
                .awaitLine(
                        0,
                        text -> {
                            JsonNode node = parse(text);
                            return node != null && wanted.test(node);
                        },
                        timeout);
        JsonNode node = line.map(Guest::parse).orElse(null);
        if (node == null) {
            throw failure("did not report what was waited for");
        }
        return node;
    }

    /** Sends a line to a job that waits in {@code receive}. */
    public void send(String line) throws IOException {
        results().write(line + "\n", WRITE_TIMEOUT);
    }

    /**
     * Waits until the job has ended and the guest has powered off.
     *
     * @param timeout for the whole rest of the guest's life
     * @throws IOException where the guest did not get there; the message has the end of its console
     */
    public GuestResult awaitResult(Duration timeout) throws IOException, InterruptedException {
        if (machine.awaitExit(timeout).isEmpty()) {
            throw failure("did not power off within " + timeout);
        }
        long endNanos = System.nanoTime();
        if (!results().awaitEnd(END_OF_OUTPUT_TIMEOUT)) {
            throw failure("left its result channel open");
        }
        List<JsonNode> all = lines();
        JsonNode exit = all.stream()
                .filter(line -> line.path("event").asString("").equals("exit"))
                .findFirst()
                .orElse(null);
        if (exit == null) {
            throw failure("ended without its job's exit status");
        }
        return new GuestResult(
                exit.path("status").asInt(-1),
                all.stream().filter(line -> !line.has("event")).toList(),
                TimeUnit.NANOSECONDS.toMillis(bootedNanos - startNanos),
                TimeUnit.NANOSECONDS.toMillis(endNanos - startNanos),
                console().log());
    }

    /** Ends the guest where it still runs; deletes its work folder unless that was chosen. */
    @Override
    public void close() throws IOException {
        machine.close();
        if (ownWorkDirectory) {
            Cache.deleteTree(workDirectory);
        }
    }

    private SerialPort results() {
        return machine.serialPort(1);
    }

    /** A result line as JSON, null for any other; text that is no JSON comes as an object with the member "text". */
    static @Nullable JsonNode parse(String line) {
        if (!line.startsWith(PREFIX)) {
            return null;
        }
        String text = line.substring(PREFIX.length());
        try {
            return JSON.readTree(text);
        } catch (JacksonException e) {
            ObjectNode node = JSON.createObjectNode();
            node.put("text", text);
            return node;
        }
    }

    private IOException failure(String what) {
        List<String> console = console().linesSince(0);
        String end =
                String.join("\n", console.subList(Math.max(0, console.size() - CONSOLE_LINES_SHOWN), console.size()));
        return new IOException("The guest " + machine.spec().name() + " " + what + ". QEMU: " + machine.errorOutput()
                + "\nReported: " + results().linesSince(0) + "\nThe end of its console:\n" + end);
    }
}
