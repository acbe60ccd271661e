package io.fairlead.bench.fs;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.Machine;
import io.fairlead.bench.ProcessUsage;
import io.fairlead.bench.RunCounter;
import io.fairlead.bench.TemporaryFolder;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import tools.jackson.databind.JsonNode;

/**
 * Measures Fairlead's shared file system beside virtiofsd: one guest has mounted both, each with a folder of its own on the
 * same file system of the host, and works on them turn by turn. Both servers are processes of their own, so that the
 * processor time of each is known.
 */
public final class FsBench {
    private static final Duration PATIENCE = Duration.ofMinutes(4);
    private static final int PROCESSORS = 2;
    private static final double CENTIS = 100;

    private final FsBenchOptions options;
    private final BenchProgress progress;
    private final FsResults results = new FsResults();

    private FsBench(FsBenchOptions options, BenchProgress progress) {
        this.options = options;
        this.progress = progress;
    }

    /**
     * Measures. Children and files are gone at the end, also where the JVM is ended before it (but for SIGKILL).
     *
     * @throws IOException where a server does not start, or the guest does not boot or fails at something
     */
    public static BenchReport run(FsBenchOptions options, QemuRelease release, Testbed testbed, BenchProgress progress)
            throws IOException, InterruptedException {
        FsBench bench = new FsBench(options, progress);
        Map<String, String> machine = Machine.describe(options.folder());
        machine.put("QEMU", testbed.qemu(release).version().toString());
        machine.put("accelerator", testbed.accelerator(release).name());
        Instant start = Instant.now();
        try (Cleanup cleanup = new Cleanup()) {
            Path folder = cleanup.add(TemporaryFolder.create(options.folder())).path();
            bench.measure(testbed, release, folder, cleanup);
        }
        return new BenchReport(
                "Shared file system: Fairlead beside virtiofsd",
                "./fairlead bench fs --rounds " + options.rounds(),
                start,
                machine,
                bench.notes(),
                bench.results.rows(),
                bench.results.tables());
    }

    private List<String> notes() {
        return List.of(
                "%d rounds, the servers in turn, after one that does not count; medians, in parentheses the least and the greatest round."
                        .formatted(options.rounds()),
                "One guest, %d processors, has mounted both; each serves a folder of its own on one file system of the host, with its defaults (virtiofsd without sandbox)."
                        .formatted(PROCESSORS),
                "`rand*`, `read-1m`, `write-1m`: fio with libaio and O_DIRECT for %d s on a file of %d MiB, which the host's page cache has."
                        .formatted(options.seconds(), options.dataMib()),
                "%d files: `create` opens with O_CREAT and closes; `readdir` lists them, not known to the guest; `stat` looks for each, not known; `stat-again` when its attributes are too old; `read-small` opens, reads and closes; `unlink` removes. Each by one process of the guest."
                        .formatted(options.files()),
                "Processor time is that of the server's whole process, by /proc/PID/stat, the compiler of the JVM included. Ratios are ours by the peer's.");
    }

    private void measure(Testbed testbed, QemuRelease release, Path folder, Cleanup cleanup)
            throws IOException, InterruptedException {
        List<FsServer> servers = new ArrayList<>();
        for (FsServer.Kind kind : FsServer.Kind.values()) {
            servers.add(cleanup.add(FsServer.start(kind, options, folder)));
        }
        Path root = folder.resolve("root.img");
        testbed.copyRootImage(root);
        GuestSpec spec = GuestSpec.job(job())
                .name("fs")
                .release(release)
                .boot(GuestSpec.Boot.KERNEL)
                .processors(PROCESSORS)
                .disk("root", root, 0);
        for (FsServer server : servers) {
            String label = server.kind().label();
            spec.device(VhostUserDevice.fs(label, server.socket(), label));
        }
        progress.step("Starting a guest");
        Guest guest = cleanup.add(testbed.start(spec));
        JsonNode _ = guest.awaitLine(line -> line.path("at").asString("").equals("ready"), PATIENCE);
        measure(guest, servers);
        guest.send("end");
        var _ = guest.awaitResult(PATIENCE);
    }

    private void measure(Guest guest, List<FsServer> servers) throws IOException, InterruptedException {
        List<FsWorkload> workloads = FsWorkload.all();
        RunCounter counter = new RunCounter(progress, (options.rounds() + 1) * workloads.size() * servers.size());
        for (int round = 0; round <= options.rounds(); round++) {
            for (FsWorkload workload : workloads) {
                List<FsServer> order = new ArrayList<>(servers);
                Collections.rotate(order, round);
                for (FsServer server : order) {
                    int number = counter.begin(
                            "%s, %s".formatted(workload.name(), server.kind().label()));
                    FsRun measured = measure(guest, server, workload, number);
                    // Nobody has compiled or loaded anything in the first round.
                    if (round > 0) {
                        results.add(workload, server.kind(), measured);
                    }
                }
            }
        }
    }

    private FsRun measure(Guest guest, FsServer server, FsWorkload workload, int number)
            throws IOException, InterruptedException {
        long before = ProcessUsage.of(server.process().pid()).cpuNanos();
        guest.send("%d %s %s".formatted(number, server.kind().label(), workload.command()));
        JsonNode line = guest.awaitLine(each -> each.path("run").asInt(0) == number, PATIENCE);
        long cpuNanos = ProcessUsage.of(server.process().pid()).cpuNanos() - before;
        double count = line.path("count").asDouble(0);
        double centis = line.path("centis").asDouble(0);
        if (line.has("failed") || count <= 0) {
            throw new IOException("the guest failed at %s on %s: %s"
                    .formatted(workload.name(), server.kind().label(), line));
        }
        return FsRun.of(count, Math.max(1, centis) / CENTIS, cpuNanos);
    }

    private String job() throws IOException {
        try (InputStream in = Objects.requireNonNull(FsBench.class.getResourceAsStream("job.sh"))) {
            return "DATA_MIB=%d\nSECONDS_EACH=%d\nFILES=%d\n"
                            .formatted(options.dataMib(), options.seconds(), options.files())
                    + new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
