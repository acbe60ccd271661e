package io.fairlead.bench.scsi;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.Machine;
import io.fairlead.bench.RunCounter;
import io.fairlead.bench.TemporaryFolder;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Measures our SCSI host beside QEMU's own virtio-scsi in one guest, in turn, on the same file; and our host by itself
 * beside our disk.
 */
public final class ScsiBench {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(3);
    private static final int MIB = 1 << 20;

    private final ScsiBenchOptions options;
    private final Testbed testbed;
    private final BenchProgress progress;
    private final ScsiResults results = new ScsiResults();

    private ScsiBench(ScsiBenchOptions options, Testbed testbed, BenchProgress progress) {
        this.options = options;
        this.testbed = testbed;
        this.progress = progress;
    }

    /**
     * Measures. Children and files are gone at the end, also where the JVM is ended before it (but for SIGKILL).
     *
     * @throws IOException where the guest does not boot or an I/O failed
     */
    public static BenchReport run(ScsiBenchOptions options, Testbed testbed, BenchProgress progress)
            throws IOException, InterruptedException {
        ScsiBench bench = new ScsiBench(options, testbed, progress);
        Map<String, String> machine = Machine.describe(options.folder());
        machine.put("QEMU", testbed.qemu(options.release()).version().toString());
        machine.put("accelerator", testbed.accelerator(options.release()).name());
        Instant start = Instant.now();
        try (Cleanup cleanup = new Cleanup()) {
            Path folder = cleanup.add(TemporaryFolder.create(options.folder())).path();
            Path image = folder.resolve("unit.img");
            bench.fill(image);
            new DeviceCost(options.rounds(), options.directRun(), progress, bench.results).measure(image);
            bench.measure(cleanup, folder, image);
        }
        return new BenchReport(
                "SCSI hosts: Fairlead beside QEMU's own",
                "./fairlead bench scsi --rounds %d --seconds %d"
                        .formatted(options.rounds(), options.runTime().toSeconds()),
                start,
                machine,
                bench.notes(),
                bench.results.rows(),
                bench.results.tables());
    }

    private List<String> notes() {
        return List.of(
                "%d runs of %d s of each workload on each host, in turn, after one that does not count; medians, in parentheses the least and the greatest run."
                        .formatted(options.rounds(), options.runTime().toSeconds()),
                "One guest with 2 processors has both hosts, each with one request queue and one unit of the same file of %d MiB, in the page cache. fio uses libaio past the guest's cache."
                        .formatted(options.imageMib()),
                "`QEMU virtio-scsi` is virtio-scsi-pci with scsi-hd in an I/O thread of its own, aio=io_uring.",
                "Processor time is that of `fairlead serve`, all threads, and of QEMU that of the I/O thread and of the kernel's io_uring workers; what QEMU's other threads do for either host is in neither. The kernel tells it in steps of 10 ms.",
                "`The device by itself`: a driver in one process with the device, by the device contract, polling; our SCSI host beside our disk of the same file, %d runs of %s s each, in turn."
                        .formatted(options.rounds(), options.directRun().toMillis() / 1e3));
    }

    private void fill(Path image) throws IOException {
        SplittableRandom random = new SplittableRandom(1);
        byte[] chunk = new byte[MIB];
        try (OutputStream out = Files.newOutputStream(image)) {
            for (int i = 0; i < options.imageMib(); i++) {
                random.nextBytes(chunk);
                out.write(chunk);
            }
        }
    }

    private void measure(Cleanup cleanup, Path folder, Path image) throws IOException, InterruptedException {
        progress.step("Booting a guest with both hosts");
        Path socket = folder.resolve("scsi.sock");
        List<String> words = new ArrayList<>(options.fairlead());
        words.addAll(List.of(
                "serve",
                "--json",
                "--device",
                "name=ours,type=scsi,socket=%s,lun0=%s,lun0.locked=off"
                        .formatted(ScsiGuest.escaped(socket), ScsiGuest.escaped(image))));
        ServerProcess daemon = cleanup.add(ServerProcess.start(
                "fairlead serve", new ProcessBuilder(words), Files.createTempFile(folder, "fairlead", ".log")));
        daemon.awaitReady(written -> written.lines().anyMatch("{\"ready\":true}"::equals), START_TIMEOUT);
        Path root = folder.resolve("root.img");
        testbed.copyRootImage(root);
        ScsiGuest guest = cleanup.add(ScsiGuest.start(testbed, options, socket, image, root));
        measure(guest, List.of(new ScsiHost.Daemon("ours", daemon.pid()), guest.peer()));
        guest.end();
        cleanup.end(guest);
    }

    private void measure(ScsiGuest guest, List<ScsiHost> hosts) throws IOException, InterruptedException {
        RunCounter counter = new RunCounter(progress, (options.rounds() + 1) * hosts.size() * ScsiWorkload.ALL.size());
        for (int round = 0; round <= options.rounds(); round++) {
            for (ScsiWorkload workload : ScsiWorkload.ALL) {
                for (int turn = 0; turn < hosts.size(); turn++) {
                    ScsiHost host = hosts.get((round + turn) % hosts.size());
                    int _ = counter.begin("%s, %s".formatted(workload.name(), host.word()));
                    Map<Long, Long> before = host.cpuNanos();
                    ScsiGuest.Run done = guest.run(host, workload, options.runTime());
                    long cpuNanos = ScsiHost.since(before, host.cpuNanos());
                    // Nothing is compiled in the first round.
                    if (round > 0) {
                        results.add(workload, host.equals(hosts.getFirst()), done, cpuNanos);
                    }
                }
            }
        }
    }
}
