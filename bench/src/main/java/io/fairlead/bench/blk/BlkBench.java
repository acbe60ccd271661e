package io.fairlead.bench.blk;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.Machine;
import io.fairlead.bench.RunCounter;
import io.fairlead.bench.TemporaryFolder;
import io.fairlead.testbed.blkio.BlkioLibrary;
import io.fairlead.testbed.blkio.StorageDaemon;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * Measures Fairlead's software disk beside qemu-storage-daemon: both serve the same file by vhost-user, libblkio drives
 * them, turn by turn. The client runs in this process; servers are processes of their own, so that the processor time of
 * each is known.
 */
public final class BlkBench {
    private static final Duration MAX_WARMUP = Duration.ofMillis(300);
    private static final int WARMUP_SHARE = 4;
    private static final double NEGLIGIBLE_SHARE = 0.01;
    private static final double PERCENT = 100;

    private final BlkBenchOptions options;
    private final BenchProgress progress;
    private final BlkioLibrary library;
    private final List<Workload> workloads;
    private final BlkResults results = new BlkResults();
    private final RunCounter counter;

    /** The most that the page cache still had of the file when a cold run began. */
    private double warmShare;

    private BlkBench(BlkBenchOptions options, BenchProgress progress, BlkioLibrary library) {
        this.options = options;
        this.progress = progress;
        this.library = library;
        workloads = Workload.all().stream()
                .filter(workload -> options.isSelected(workload.name()))
                .toList();
        counter = new RunCounter(progress, workloads.size() * options.rounds() * DiskServer.Kind.values().length);
    }

    /**
     * Measures everything that is selected. Children and files are gone at the end, also where the JVM is ended before
     * it (but for SIGKILL). One at a time.
     *
     * @throws IOException where a server does not start, answers wrongly or not at all, or there is no room for the file
     * @throws IllegalArgumentException where nothing is selected
     */
    public static BenchReport run(BlkBenchOptions options, BenchProgress progress)
            throws IOException, InterruptedException {
        BlkBench bench = new BlkBench(options, progress, BlkioLibrary.load(options.libblkio()));
        boolean idle = options.idleDisks() > 0 && options.isSelected("idle");
        if (bench.workloads.isEmpty() && !idle) {
            throw new IllegalArgumentException("nothing of the benchmark has \"" + options.select() + "\" in its name");
        }
        // Before the work: a wrong program is told at once.
        Map<String, String> machine = bench.machine();
        Instant start = Instant.now();
        List<BenchRow> rows = new ArrayList<>();
        List<BenchTable> tables = new ArrayList<>();
        try (Cleanup cleanup = new Cleanup()) {
            Path folder = cleanup.add(TemporaryFolder.create(options.folder())).path();
            if (!bench.workloads.isEmpty()) {
                bench.measureWorkloads(cleanup, folder);
                rows.addAll(bench.results.rows());
                tables.addAll(bench.results.tables());
            }
            if (idle) {
                IdleDisks.Result disks = new IdleDisks(options, progress, bench.library).measure(cleanup, folder);
                rows.addAll(disks.rows());
                tables.add(disks.table());
            }
        }
        return new BenchReport(
                "Disk: Fairlead beside qemu-storage-daemon",
                "./fairlead bench blk",
                start,
                machine,
                bench.notes(),
                rows,
                tables);
    }

    private Map<String, String> machine() throws IOException {
        Map<String, String> machine = Machine.describe(options.folder());
        machine.put("libblkio", library.version());
        machine.put("qemu-storage-daemon", StorageDaemon.version(options.storageDaemon()));
        return machine;
    }

    private List<String> notes() throws IOException {
        List<String> notes = new ArrayList<>(method());
        if (warmShare > NEGLIGIBLE_SHARE) {
            notes.add(
                    "The cold rows are not cold: up to %.0f %% of the file stayed in the page cache, because a server has it mapped."
                            .formatted(warmShare * PERCENT));
        }
        if (Machine.isInMemory(options.folder())) {
            notes.add("The file is in memory (tmpfs): cold and direct rows tell nothing of a disk.");
        }
        return notes;
    }

    private List<String> method() {
        return List.of(
                "%d rounds of %s s each, the servers in turn; medians, in parentheses the least and the greatest round. Before each run %s ms of load that does not count."
                        .formatted(options.rounds(), options.runTime().toMillis() / 1e3, warmup().toMillis()),
                "All servers serve one raw file of %d MiB with one queue; the client is libblkio's vhost-user driver, called from the JVM by one thread."
                        .formatted(options.fileBytes() >> 20),
                "`poll`: the client looks for completions all the time, without notifications; `event`: it sleeps on an eventfd.",
                "`cached`: the page cache has the whole file; `cold`: it has nothing of it when a run begins; `direct`: the servers use O_DIRECT.",
                "Processor time is that of the server's whole process, by /proc/PID/stat. Ratios are ours by the peer's.");
    }

    private void measureWorkloads(Cleanup cleanup, Path folder) throws IOException, InterruptedException {
        progress.step("Writing a file of %d MiB in %s".formatted(options.fileBytes() >> 20, folder));
        DataFile file = cleanup.add(DataFile.create(folder, options.fileBytes()));
        measure(cleanup, folder, file, false);
        measure(cleanup, folder, file, true);
        cleanup.end(file);
    }

    private void measure(Cleanup cleanup, Path folder, DataFile file, boolean direct)
            throws IOException, InterruptedException {
        List<Workload> mine = workloads.stream()
                .filter(workload -> (workload.cache() == Workload.Cache.DIRECT) == direct)
                .toList();
        if (mine.isEmpty()) {
            return;
        }
        List<DiskServer> servers = new ArrayList<>();
        for (DiskServer.Kind kind : DiskServer.Kind.values()) {
            progress.step("Starting %s (%s)".formatted(kind.label(), direct ? "O_DIRECT" : "page cache"));
            DiskServer server = cleanup.add(DiskServer.start(kind, options, folder, file.path(), direct, 1));
            servers.add(server);
            DiskCheck.check(library, server, file);
            warmUp(server);
        }
        for (Workload workload : mine) {
            for (int round = 0; round < options.rounds(); round++) {
                measureRound(workload, round, servers, file);
            }
        }
        for (DiskServer server : servers) {
            cleanup.end(server);
        }
    }

    private void measureRound(Workload workload, int round, List<DiskServer> servers, DataFile file)
            throws IOException, InterruptedException {
        List<DiskServer> order = new ArrayList<>(servers);
        // Whoever comes first in one round comes last in another.
        Collections.rotate(order, round);
        for (DiskServer server : order) {
            int _ = counter.begin(
                    "%s, %s".formatted(workload.name(), server.kind().label()));
            prepare(workload.cache(), file);
            results.add(workload, server.kind(), run(workload, server, warmup(workload), options.runTime(), round));
        }
    }

    private void prepare(Workload.Cache cache, DataFile file) throws IOException {
        switch (cache) {
            case CACHED -> {
                file.sync();
                file.warm();
            }
            case COLD -> warmShare = Math.max(warmShare, file.drop());
            case DIRECT -> file.drop();
        }
    }

    /** Load of every kind, so that the first measurement does not meet a JVM that still compiles. */
    private void warmUp(DiskServer server) throws IOException, InterruptedException {
        List<Workload> kinds = Workload.all().stream()
                .filter(workload -> workload.cache() == Workload.Cache.CACHED
                        && workload.operation().isRandom())
                .toList();
        Duration share = options.serverWarmup().dividedBy(kinds.size());
        for (Workload workload : kinds) {
            run(workload, server, Duration.ZERO, share, kinds.size());
        }
    }

    private Load run(Workload workload, DiskServer server, Duration before, Duration time, long seed)
            throws IOException, InterruptedException {
        try {
            return LoadGenerator.run(
                    library, server.socket(), server.pid(), server.image(), workload, before, time, seed + 1);
        } catch (IOException e) {
            throw new IOException(
                    "%s with %s: %s".formatted(workload.name(), server.kind().label(), e.getMessage()), e);
        }
    }

    /** Load before a run; none where the page cache has to be cold. */
    private Duration warmup(Workload workload) {
        return workload.cache() == Workload.Cache.COLD ? Duration.ZERO : warmup();
    }

    private Duration warmup() {
        Duration share = options.runTime().dividedBy(WARMUP_SHARE);
        return share.compareTo(MAX_WARMUP) < 0 ? share : MAX_WARMUP;
    }
}
