package io.fairlead.bench.blk;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.Figures;
import io.fairlead.bench.Machine;
import io.fairlead.bench.RunCounter;
import io.fairlead.bench.Samples;
import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.testbed.blkio.BlkioLibrary;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.relay.RelayDevice;
import io.fairlead.vhostuser.server.VhostUserServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

/**
 * Measures what logging the pages that a disk writes costs: by the disk itself, and by the relay. One disk in this
 * process, a client of libblkio on a thread of its own; each is switched on while the client's load runs, as a migration
 * does it.
 */
public final class RelayBench {
    /** Who logs. */
    private enum Mode {
        OFF("off"),
        DEVICE("device logs"),
        RELAY("relay");

        private final String label;

        Mode(String label) {
            this.label = label;
        }
    }

    /**
     * What to measure, and with what.
     *
     * @param rounds how often each thing is measured, from 1
     * @param runTime of one measurement, more than 0
     * @param folder where a folder for the data file and the socket is made
     * @param fileBytes size of the data file, a multiple of 1 MiB
     * @param libblkio the file of the client library
     */
    public record Options(int rounds, Duration runTime, Path folder, long fileBytes, Path libblkio) {
        public Options {
            if (rounds < 1) {
                throw new IllegalArgumentException("rounds: at least 1, not " + rounds);
            }
            if (runTime.isNegative() || runTime.isZero()) {
                throw new IllegalArgumentException("seconds: more than 0, not " + runTime.toMillis() / 1e3);
            }
        }
    }

    private static final Duration WARMUP = Duration.ofMillis(700);

    /** The client's buffers lie where its process has them. */
    private static final long ADDRESS_SPACE_BYTES = 1L << 47;

    private static final Duration DRAIN_DEADLINE = Duration.ofSeconds(5);
    private static final long LOOK_MILLIS = 2;

    private final Options options;
    private final BenchProgress progress;
    private final BlkioLibrary library;
    private final Map<Workload, Map<Mode, List<Load>>> loads = new LinkedHashMap<>();

    private RelayBench(Options options, BenchProgress progress, BlkioLibrary library) {
        this.options = options;
        this.progress = progress;
        this.library = library;
    }

    /** @throws IOException where the disk cannot be served, or there is no room for the file */
    public static BenchReport run(Options options, BenchProgress progress) throws IOException, InterruptedException {
        RelayBench bench = new RelayBench(options, progress, BlkioLibrary.load(options.libblkio()));
        Map<String, String> machine = Machine.describe(options.folder());
        machine.put("libblkio", bench.library.version());
        Instant start = Instant.now();
        try (Cleanup cleanup = new Cleanup()) {
            bench.measure(cleanup);
        }
        return new BenchReport(
                "Relay: what logging written pages costs",
                "./fairlead bench relay",
                start,
                machine,
                bench.notes(),
                bench.rows(),
                List.of(
                        bench.table("Thousand I/O a second", load -> load.perSecond() / 1e3),
                        bench.table(
                                "Processor time of the disk and the relay, microseconds an I/O", RelayBench::micros)));
    }

    private List<String> notes() {
        return List.of(
                "%d rounds of %s s each, in turn; medians, in parentheses the least and the greatest round."
                        .formatted(options.rounds(), options.runTime().toMillis() / 1e3),
                "4 KiB random reads of a page-cached file; the client is libblkio's vhost-user driver, which polls or sleeps on an eventfd.",
                "`off`: no log, the disk on the client's rings. `device logs`: the disk marks the pages itself. `relay`: Fairlead's own rings are between, as for a device that cannot log. Ratios are by `off`.",
                "Disk, relay and client are in one process. Processor time is the process's without the client's thread.",
                "While there is no log the relay is not on the data path: `off` is what a disk without it does.");
    }

    private static List<Workload> workloads() {
        return Workload.all().stream()
                .filter(workload -> workload.cache() == Workload.Cache.CACHED
                        && workload.operation() == Workload.Operation.RANDOM_READ_4K)
                .toList();
    }

    private void measure(Cleanup cleanup) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory(options.folder(), "fairlead-bench");
        cleanup.add(() -> Files.deleteIfExists(folder));
        progress.step("Writing a file of %d MiB in %s".formatted(options.fileBytes() >> 20, folder));
        DataFile file = cleanup.add(DataFile.create(folder, options.fileBytes()));
        file.warm();
        EventLoopGroup loops =
                cleanup.add(new EventLoopGroup(Runtime.getRuntime().availableProcessors()));
        BlkDevice disk = BlkDevice.create("disk", BlkSettings.of(file.path()), loops);
        RelayDevice relay = cleanup.add(new RelayDevice(disk, loops, DRAIN_DEADLINE));
        VhostUserServer server = cleanup.add(new VhostUserServer());
        Path socket = server.serve(relay, folder.resolve("disk.sock")).path();
        List<Workload> workloads = workloads();
        RunCounter counter = new RunCounter(progress, workloads.size() * (options.rounds() + 1) * Mode.values().length);
        // The first round meets a JVM that still compiles, and does not count.
        for (int round = -1; round < options.rounds(); round++) {
            for (Workload workload : workloads) {
                List<Mode> modes = new ArrayList<>(List.of(Mode.values()));
                Collections.rotate(modes, round);
                for (Mode mode : modes) {
                    int _ = counter.begin(workload.name() + ", " + mode.label);
                    Load load = measure(workload, mode, disk, relay, socket, file.path(), round + 2);
                    if (round >= 0) {
                        loads.computeIfAbsent(workload, _ -> new EnumMap<>(Mode.class))
                                .computeIfAbsent(mode, _ -> new ArrayList<>())
                                .add(load);
                    }
                }
            }
        }
    }

    private Load measure(
            Workload workload, Mode mode, BlkDevice disk, RelayDevice relay, Path socket, Path image, long seed)
            throws IOException, InterruptedException {
        try (SharedDirtyLog log = SharedDirtyLog.create("bench", ADDRESS_SPACE_BYTES);
                Switch switched = new Switch(mode, disk, relay, log)) {
            Load load = LoadGenerator.run(
                    library, socket, ProcessHandle.current().pid(), image, workload, WARMUP, options.runTime(), seed);
            switched.check();
            return load;
        }
    }

    /** Switches logging on as soon as the client's queue runs. At its end the client's session has reset the disk. */
    private static final class Switch implements AutoCloseable {
        private final Mode mode;
        private final BlkDevice disk;
        private final RelayDevice relay;
        private final SharedDirtyLog log;
        private final Thread thread;
        private volatile boolean done;
        private volatile boolean over;
        private volatile String failure = "";

        Switch(Mode mode, BlkDevice disk, RelayDevice relay, SharedDirtyLog log) {
            this.mode = mode;
            this.disk = disk;
            this.relay = relay;
            this.log = log;
            thread = Thread.ofPlatform().daemon().name("switch").start(this::run);
        }

        private void run() {
            try {
                while (!relay.queueReady(0) && !over) {
                    TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
                }
                switch (mode) {
                    case OFF -> {}
                    case DEVICE -> disk.dirtyLog(log);
                    case RELAY -> relay.dirtyLog(log);
                }
                done = true;
            } catch (IOException | RuntimeException | InterruptedException e) {
                failure = String.valueOf(e.getMessage());
            }
        }

        /** That logging was on in the run, if it was to be. */
        void check() throws IOException {
            if (!done || log.marksOutside() > 0) {
                throw new IOException("logging was not switched on: " + failure);
            }
        }

        @Override
        public void close() throws IOException {
            over = true;
            try {
                thread.join();
                while (relay.queueReady(0)) {
                    TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            disk.dirtyLog(null);
            relay.dirtyLog(null);
        }
    }

    private static double micros(Load load) {
        return load.serverMicrosPerRequest() - load.clientMicrosPerRequest();
    }

    private Samples samples(Workload workload, Mode mode, ToDoubleFunction<Load> value) {
        return Samples.of(loads.getOrDefault(workload, Map.of()).getOrDefault(mode, List.of()).stream()
                .mapToDouble(value)
                .toArray());
    }

    private List<BenchRow> rows() {
        List<BenchRow> rows = new ArrayList<>();
        for (Workload workload : loads.keySet()) {
            for (Mode mode : List.of(Mode.DEVICE, Mode.RELAY)) {
                String name = "%s/%%s %s vs off".formatted(workload.name(), mode.label);
                rows.add(new BenchRow(
                        name.formatted("rate"),
                        "I/O/s",
                        samples(workload, mode, Load::perSecond),
                        samples(workload, Mode.OFF, Load::perSecond),
                        null));
                rows.add(new BenchRow(
                        name.formatted("cpu"),
                        "us/I/O",
                        samples(workload, mode, RelayBench::micros),
                        samples(workload, Mode.OFF, RelayBench::micros),
                        null));
            }
        }
        return rows;
    }

    private BenchTable table(String title, ToDoubleFunction<Load> value) {
        List<List<String>> lines = new ArrayList<>();
        for (Workload workload : loads.keySet()) {
            Samples off = samples(workload, Mode.OFF, value);
            List<String> line = new ArrayList<>(List.of(workload.name(), Figures.spread(off)));
            for (Mode mode : List.of(Mode.DEVICE, Mode.RELAY)) {
                Samples on = samples(workload, mode, value);
                line.add(Figures.spread(on));
                line.add(Figures.ratio(on.median() / off.median()));
            }
            lines.add(line);
        }
        return new BenchTable(title, List.of("workload", "off", "device logs", "ratio", "relay", "ratio"), lines);
    }
}
