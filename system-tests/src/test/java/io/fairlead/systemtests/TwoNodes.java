package io.fairlead.systemtests;

import io.fairlead.cli.ControlClient;
import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.QemuRelease;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Two hosts on one: a node process each, a device of which both serve the same thing, and a guest that uses it all the
 * time. Unless told otherwise the device is a disk, which the guest reads into buffers that only the device writes.
 */
final class TwoNodes implements AutoCloseable {
    static final int READ_MIB = 16;
    private static final String IMAGE = "disk.img";
    private static final int RECONNECT_MILLIS = 20;
    private static final long FAST_BYTES_PER_SECOND = 1L << 40;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final JsonMapper JSON = new JsonMapper();

    /** Reads and compares all the time, until it is told to stop. */
    static final String READS = DeviceWrittenReads.FUNCTIONS
            + reads().expect()
            + reads().start()
            + """
            emit '{"at":"busy"}'
            receive >/dev/null
            """
            + DeviceWrittenReads.STOP
            + Lab.REPORT_KERNEL_ERRORS;

    /**
     * A device of the machine besides its disk, which QEMU does not migrate.
     *
     * @param type of ours
     * @param driver of QEMU
     * @param bus where it is plugged in, of a machine that has it from its start
     */
    record Unmigratable(String name, String type, String driver, String bus) {}

    /**
     * The machine's device as both nodes serve it.
     *
     * @param attributes as of {@code --device}, after its name, type and socket
     * @param model what QEMU has of it, by its id and socket
     * @param reconnects whether this QEMU device connects by itself again to a node that was started again
     * @param machine adds what the guest needs beside it
     */
    record Served(
            String type,
            String attributes,
            BiFunction<String, Path, VhostUserDevice> model,
            boolean reconnects,
            UnaryOperator<GuestSpec> machine) {}

    /** What a command said and how it ended. */
    record Ended(int exitCode, List<JsonNode> lines, String text) {
        JsonNode report() {
            return lines.stream()
                    .filter(line -> line.has("report"))
                    .map(line -> line.path("report"))
                    .reduce((first, second) -> second)
                    .orElseThrow(() -> new AssertionError("no report: " + text));
        }

        String error() {
            return lines.isEmpty() ? text : lines.getLast().path("error").asString("");
        }
    }

    /** One host. */
    final class Host {
        private final String name;
        private final int port;
        ServeProcess node;
        private @Nullable SlowLine line;

        private Host(String name) throws IOException {
            this.name = name;
            // Also after a restart at the same port.
            try (ServerSocket free = new ServerSocket(0)) {
                port = free.getLocalPort();
            }
        }

        Path socket() {
            return folder.resolve(name + ".sock");
        }

        Path socket(String device) {
            return folder.resolve(name + "-" + device + ".sock");
        }

        Path control() {
            return folder.resolve(name + ".ctl");
        }

        String address() {
            return "localhost:" + port;
        }

        /** Where the other node reaches it: through the line, where there is one. */
        String reachedAt() {
            return line == null ? address() : "localhost:" + line.port();
        }

        /** From now on the other node reaches it by a line that takes its time. */
        SlowLine behindLine(long delayMillis) throws IOException {
            line = new SlowLine(port, delayMillis);
            return line;
        }

        /** Where the node writes down how far its migrations are. */
        Path journals() {
            return folder.resolve(name + ".state").resolve("migrations");
        }

        /** @param guest whose monitor the node uses from now on */
        void monitorOf(Guest guest) throws IOException {
            Path link = folder.resolve(name + ".qmp");
            Files.deleteIfExists(link);
            Files.createSymbolicLink(link, guest.nodeMonitor());
        }

        void start() throws IOException, InterruptedException {
            start(served.attributes);
        }

        /**
         * Starts the node with another device than the other one's.
         *
         * @param attributes what it is and where, as of {@code --device}
         */
        void start(String attributes) throws IOException, InterruptedException {
            List<String> words = new ArrayList<>(List.of(
                    "node",
                    "--name",
                    name,
                    "--state",
                    folder.resolve(name + ".state").toString(),
                    "--control",
                    control().toString(),
                    "--listen",
                    address(),
                    "--certificates",
                    folder.resolve("ca/localhost").toString(),
                    "--device",
                    "name=disk0,type=%s,socket=%s,%s".formatted(served.type, socket(), attributes)));
            StringBuilder devices = new StringBuilder("disk0");
            for (Unmigratable more : unmigratable) {
                words.addAll(List.of(
                        "--device",
                        "name=%s,type=%s,socket=%s".formatted(more.name(), more.type(), socket(more.name()))));
                devices.append('+').append(more.name());
            }
            words.addAll(List.of(
                    "--machine", "name=vm0,qmp=%s,devices=%s".formatted(folder.resolve(name + ".qmp"), devices)));
            node = ServeProcess.startCommand(List.of(), words);
            long _ = node.awaitReady();
        }
    }

    private final Path folder;
    private final Path image;
    private final Served served;
    private final String job;
    private final List<Unmigratable> unmigratable;
    private int guests;
    final Host a;
    final Host b;
    MigratingGuest guest;
    private Host here;
    private Host there;

    /** @param attributes more of the disk's, each with a comma before it */
    TwoNodes(Path folder, String attributes) throws Exception {
        this(folder, attributes, READS, 0);
    }

    /**
     * @param job which says that it is {@code busy}
     * @param moreMib of the disk after what is read
     */
    TwoNodes(Path folder, String attributes, String job, int moreMib) throws Exception {
        this(folder, attributes, job, moreMib, List.of());
    }

    /** @param unmigratable which the first QEMU has from its start */
    TwoNodes(Path folder, String attributes, String job, int moreMib, List<Unmigratable> unmigratable)
            throws Exception {
        this(folder, disk(image(folder, moreMib), attributes), job, unmigratable);
    }

    /** @param job which says that it is {@code busy} */
    TwoNodes(Path folder, Served served, String job, List<Unmigratable> unmigratable) throws Exception {
        this.folder = folder;
        this.served = served;
        this.job = job;
        this.unmigratable = List.copyOf(unmigratable);
        image = folder.resolve(IMAGE);
        Path _ = CertificateAuthority.openOrCreate(folder.resolve("ca"), Duration.ofDays(2))
                .createHost(List.of("localhost", "127.0.0.1"), Duration.ofDays(2));
        a = new Host("a");
        b = new Host("b");
        here = a;
        there = b;
        a.start();
        b.start();
        guest = startGuest();
    }

    private static Path image(Path folder, int moreMib) throws IOException {
        byte[] content = new byte[(READ_MIB + moreMib) << 20];
        new Random(3).nextBytes(content);
        return Files.write(folder.resolve(IMAGE), content);
    }

    private static Served disk(Path image, String attributes) {
        return new Served(
                "blk",
                file(image) + attributes,
                (id, socket) -> VhostUserDevice.blk(id, socket).with("num-queues", 1),
                true,
                UnaryOperator.identity());
    }

    private static String file(Path image) {
        return "path=%s,locked=off,volume=data".formatted(image);
    }

    /** The disk's file, as of {@code --device}. */
    String file() {
        return file(image);
    }

    Path image() {
        return image;
    }

    private MigratingGuest startGuest() throws Exception {
        GuestSpec spec = spec().device(device(here)).workDirectory(folder.resolve("g" + guests++));
        for (Unmigratable more : unmigratable) {
            spec = spec.device(VhostUserDevice.of(more.name(), more.driver(), here.socket(more.name()))
                    .with("bus", more.bus()));
        }
        MigratingGuest started = MigratingGuest.start(Lab.TESTBED, spec);
        boolean busy = false;
        try {
            here.monitorOf(started.current());
            JsonNode _ = started.awaitLine(Lab.at("busy"), Lab.PATIENCE);
            busy = true;
            return started;
        } finally {
            if (!busy) {
                started.close();
            }
        }
    }

    /** The guest was lost: another one starts where it left. */
    void startAgain() throws Exception {
        guest.close();
        guest = startGuest();
    }

    static DeviceWrittenReads reads() {
        return new DeviceWrittenReads("a", "/dev/vda", 0, READ_MIB, 4);
    }

    GuestSpec spec() {
        return served.machine.apply(GuestSpec.job(job)
                .release(QemuRelease.V11)
                .machineType("pc-q35-10.0")
                .memoryMib(256)
                .processors(2)
                .arguments("-device", "pcie-root-port,id=port0,chassis=1")
                .nodeMonitor());
    }

    private VhostUserDevice device(Host host) {
        VhostUserDevice device = served.model.apply("disk0", host.socket());
        return served.reconnects ? device.withReconnectMillis(RECONNECT_MILLIS) : device;
    }

    Host here() {
        return here;
    }

    Host there() {
        return there;
    }

    /** Starts the QEMU that waits. */
    Guest startDestination() throws IOException {
        return startDestination(spec().destination());
    }

    /** The same with another machine. */
    Guest startDestination(GuestSpec spec) throws IOException {
        Guest destination = guest.startDestination(spec.device(device(there)));
        there.monitorOf(destination);
        return destination;
    }

    /** After a migration that was there. */
    void moved() throws IOException {
        guest.moved();
        Host from = here;
        here = there;
        there = from;
    }

    /** Starts a command of ours. */
    static Running command(String... words) throws IOException {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                "io.fairlead.cli.Main"));
        line.addAll(List.of(words));
        return new Running(new ProcessBuilder(line).redirectErrorStream(true).start());
    }

    /** From now on a move that was told to be slow takes all the bandwidth that there is, and ends. */
    void hurry() throws IOException {
        JsonNode _ = guest.current()
                .machine()
                .qmp()
                .execute("migrate-set-parameters", Map.of("max-bandwidth", FAST_BYTES_PER_SECOND));
    }

    Running migrate(String... more) throws IOException {
        List<String> words = new ArrayList<>(List.of(
                "migrate",
                "vm0",
                "--to",
                there.reachedAt(),
                "--control",
                here.control().toString(),
                "--json"));
        words.addAll(List.of(more));
        return command(words.toArray(String[]::new));
    }

    /** Whether a node is at a migration of its machine. */
    static boolean isBusy(Host host) throws IOException {
        ObjectNode ask = JSON.createObjectNode().put("command", "status");
        StringBuilder busy = new StringBuilder();
        try (ControlClient client = new ControlClient(host.control())) {
            JsonNode _ = client.execute(
                    ask,
                    line -> line.path("status")
                            .path("machines")
                            .forEach(machine -> busy.append(machine.path("busy").asString(""))));
        }
        return !busy.isEmpty();
    }

    /** A command that runs. */
    static final class Running {
        private final Process process;
        private final List<String> lines = new CopyOnWriteArrayList<>();
        private final Thread reader;

        private Running(Process process) {
            this.process = process;
            reader = Thread.ofPlatform().daemon().start(() -> {
                try (BufferedReader output = process.inputReader()) {
                    output.lines().forEach(lines::add);
                } catch (IOException e) {
                    lines.add("its output broke off: " + e.getMessage());
                }
            });
        }

        /** Waits until a line has a text. */
        void awaitText(String text) throws InterruptedException {
            long end = System.nanoTime() + LIMIT.toNanos();
            while (lines.stream().noneMatch(line -> line.contains(text))) {
                if (System.nanoTime() > end || (!process.isAlive() && !reader.isAlive())) {
                    throw new AssertionError("never said " + text + ": " + lines);
                }
                Thread.sleep(1);
            }
        }

        /** All that it has said. */
        String said() {
            return String.join("\n", lines);
        }

        /** As Ctrl-C does, which a process ignores that was started in the background. */
        void interrupt() {
            // By the handle: the process object would close its output, too.
            boolean _ = process.toHandle().destroy();
        }

        void kill() {
            process.toHandle().destroyForcibly();
        }

        Ended end() throws InterruptedException {
            if (!process.waitFor(LIMIT.toNanos(), TimeUnit.NANOSECONDS)) {
                process.toHandle().destroyForcibly();
                throw new AssertionError("did not end: " + lines);
            }
            reader.join();
            List<JsonNode> nodes = new ArrayList<>();
            for (String line : lines) {
                if (line.startsWith("{")) {
                    nodes.add(JSON.readTree(line));
                }
            }
            return new Ended(process.exitValue(), nodes, String.join("\n", lines));
        }
    }

    @Override
    public void close() throws IOException {
        try {
            if (guest != null) {
                guest.close();
            }
        } finally {
            a.node.close();
            b.node.close();
        }
    }
}
