package io.fairlead.bench.vduse;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.Machine;
import io.fairlead.bench.RunCounter;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Spec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * Measures our disk beside qemu-storage-daemon's, both presented by VDUSE to the kernel of one L1 host and used by that
 * host, in turn. The host is emulated as a rule: what counts are ratios.
 */
public final class VduseBench {
    private final VduseBenchOptions options;
    private final BenchProgress progress;
    private final VduseResults results = new VduseResults();

    private VduseBench(VduseBenchOptions options, BenchProgress progress) {
        this.options = options;
        this.progress = progress;
    }

    /**
     * Measures. The host is gone at the end, also where the JVM is ended before it (but for SIGKILL).
     *
     * @param folder of files, to be described
     * @throws IOException where the host does not start or an I/O failed
     */
    public static BenchReport run(VduseBenchOptions options, Path folder, Testbed testbed, BenchProgress progress)
            throws IOException, InterruptedException {
        VduseBench bench = new VduseBench(options, progress);
        Map<String, String> machine = Machine.describe(folder);
        machine.put(
                "QEMU, qemu-storage-daemon",
                testbed.qemu(QemuRelease.V11).version().toString());
        machine.put("accelerator", testbed.accelerator(QemuRelease.V11).name());
        Instant start = Instant.now();
        try (Cleanup cleanup = new Cleanup()) {
            progress.step("Booting a host with Linux " + options.kernel());
            L1Host host = cleanup.add(testbed.start(L1Spec.of(options.kernel()).name("vduse-bench")));
            VduseDisks disks = VduseDisks.make(host, options.fairlead(), options.imageMib());
            machine.put("the host's kernel", "Linux " + disks.release());
            bench.measure(disks);
            disks.end();
        }
        return new BenchReport(
                "Disks by VDUSE: Fairlead beside qemu-storage-daemon",
                "./fairlead bench vduse --kernel %s --rounds %d --seconds %d"
                        .formatted(
                                options.kernel(),
                                options.rounds(),
                                options.runTime().toSeconds()),
                start,
                machine,
                bench.notes(),
                bench.results.rows(),
                bench.results.tables());
    }

    private List<String> notes() {
        return List.of(
                "%d runs of %d s of each workload on each disk, in turn, after one that does not count, of %d s on ours, since a JVM compiles while it runs and takes long to under emulation; medians, in parentheses the least and the greatest run."
                        .formatted(
                                options.rounds(),
                                options.runTime().toSeconds(),
                                options.warmUp().toSeconds()),
                "One L1 host with 2 processors, which QEMU emulates: only ratios say anything. Its own kernel uses both disks (virtio_vdpa, /dev/vdX), each of one queue with 256 entries and of a file of %d MiB in memory (tmpfs). fio uses libaio past the host's cache."
                        .formatted(options.imageMib()),
                "qemu-storage-daemon exports by vduse-blk, with aio=io_uring; `fairlead serve` has one event loop. Rings are what each offers and the kernel's driver takes: packed with Fairlead, split with qemu-storage-daemon.",
                "Processor time is that of the whole serving process, as its kernel tells it in steps of 10 ms.");
    }

    private void measure(VduseDisks disks) throws IOException, InterruptedException {
        RunCounter counter = new RunCounter(progress, (options.rounds() + 1) * 2 * VduseWorkload.ALL.size());
        for (int round = 0; round <= options.rounds(); round++) {
            boolean counts = round > 0;
            for (VduseWorkload workload : VduseWorkload.ALL) {
                for (int turn = 0; turn < 2; turn++) {
                    boolean isOurs = (round + turn) % 2 == 0;
                    int _ = counter.begin(
                            "%s, %s".formatted(workload.name(), isOurs ? VduseDisks.OURS : VduseDisks.PEERS));
                    // Our process compiles meanwhile, which takes an emulated processor long; the peer is compiled.
                    Duration runTime = isOurs && !counts ? options.warmUp() : options.runTime();
                    VduseRun run = disks.run(isOurs, workload, runTime);
                    if (counts) {
                        results.add(workload, isOurs, run);
                    }
                }
            }
        }
    }
}
