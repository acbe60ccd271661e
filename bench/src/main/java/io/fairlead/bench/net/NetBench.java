package io.fairlead.bench.net;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.Machine;
import io.fairlead.bench.RunCounter;
import io.fairlead.bench.TemporaryFolder;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Measures packets from one Fairlead device to another through their switch, beside DPDK's vhost library, between two of
 * whose ports testpmd passes packets on. The client is the same: DPDK's virtio_user, which polls. Server and client have
 * a processor each. Besides, where the host lets us, {@link GuestBench}.
 */
public final class NetBench {
    private final NetBenchOptions options;
    private final BenchProgress progress;
    private final NetResults results = new NetResults();

    private NetBench(NetBenchOptions options, BenchProgress progress) {
        this.options = options;
        this.progress = progress;
    }

    /**
     * Measures everything that is selected. Children and files are gone at the end, also where the JVM is ended before
     * it (but for SIGKILL). One at a time.
     *
     * @throws IOException where a server, the client or the guest does not start, or no packet comes through
     * @throws IllegalArgumentException where nothing is selected
     */
    public static BenchReport run(NetBenchOptions options, QemuRelease release, Testbed testbed, BenchProgress progress)
            throws IOException, InterruptedException {
        List<Traffic> forwarded = Traffic.all().stream()
                .filter(traffic -> options.isSelected(traffic.name()))
                .toList();
        List<GuestTraffic> ofGuest = Stream.of(GuestTraffic.values())
                .filter(traffic -> options.isSelected(traffic.rowName()))
                .toList();
        if (forwarded.isEmpty() && ofGuest.isEmpty()) {
            throw new IllegalArgumentException("nothing of the benchmark has \"" + options.select() + "\" in its name");
        }
        NetBench bench = new NetBench(options, progress);
        GuestBench guestBench = new GuestBench(options, progress);
        Map<String, String> machine = Machine.describe(options.folder());
        Instant start = Instant.now();
        List<String> notes = new ArrayList<>();
        try (Cleanup cleanup = new Cleanup()) {
            Path folder = cleanup.add(TemporaryFolder.create(options.folder())).path();
            if (!forwarded.isEmpty()) {
                Processors processors = Processors.choose();
                bench.measure(cleanup, folder, forwarded, processors);
                notes.addAll(bench.notes(processors));
            }
            if (!ofGuest.isEmpty()) {
                machine.put("QEMU", testbed.qemu(release).version().toString());
                machine.put("accelerator", testbed.accelerator(release).name());
                guestBench.measure(testbed, release, ofGuest, folder, cleanup);
                notes.addAll(guestBench.notes());
            }
        }
        return new BenchReport(
                "Network: Fairlead beside DPDK's vhost and QEMU's TAP",
                "./fairlead bench net --rounds %d%s"
                        .formatted(
                                options.rounds(),
                                options.select().pattern().isEmpty() ? "" : " --only " + options.select()),
                start,
                machine,
                notes,
                Stream.concat(bench.results.rows().stream(), guestBench.results().rows().stream())
                        .toList(),
                Stream.concat(bench.results.tables().stream(), guestBench.results().tables().stream())
                        .toList());
    }

    private List<String> notes(Processors processors) {
        return List.of(
                "`forward`: %d rounds of %s s each, the servers in turn, each started anew; medians, in parentheses the least and the greatest round. Before each run %s s of load that does not count."
                        .formatted(
                                options.rounds(),
                                options.runTime().toMillis() / 1e3,
                                options.warmup().toMillis() / 1e3),
                "The client is testpmd with two ports of DPDK's virtio_user, queues of %d entries and one forwarding core; it sends by each port what came in by the other, so that 256 packets go round each way. Both directions count together."
                        .formatted(Testpmd.QUEUE_SIZE),
                "`dpdk-vhost`: testpmd with two ports of net_vhost, which passes on what it gets without a look (forward mode io). `fairlead`: two devices at one switch, which looks at the addresses and learns them.",
                "The server has processor %d to itself, all of its threads; the client has processor %d. Without huge pages."
                        .formatted(processors.server(), processors.client()),
                "Both servers poll while there are packets. Processor time is that of the server's whole process, by /proc/PID/stat.");
    }

    private void measure(Cleanup cleanup, Path folder, List<Traffic> selected, Processors processors)
            throws IOException, InterruptedException {
        RunCounter counter =
                new RunCounter(progress, selected.size() * options.rounds() * NetServer.Kind.values().length);
        for (Traffic traffic : selected) {
            for (int round = 0; round < options.rounds(); round++) {
                List<NetServer.Kind> kinds = new ArrayList<>(List.of(NetServer.Kind.values()));
                // Whoever comes first in one round comes last in another.
                Collections.rotate(kinds, round);
                for (NetServer.Kind kind : kinds) {
                    int _ = counter.begin("%s, %s".formatted(traffic.name(), kind.label()));
                    results.add(traffic, kind, measure(cleanup, folder, traffic, kind, processors));
                }
            }
        }
    }

    private NetLoad measure(Cleanup cleanup, Path folder, Traffic traffic, NetServer.Kind kind, Processors processors)
            throws IOException, InterruptedException {
        NetServer server = cleanup.add(NetServer.start(kind, options, folder, processors.server()));
        try {
            return ForwardClient.run(
                    Testpmd.virtioUser(
                            options.testpmd(), processors.client(), server.first(), server.second(), traffic),
                    server.process().pid(),
                    Files.createTempFile(folder, "client", ".log"),
                    options.warmup(),
                    options.runTime());
        } catch (IOException e) {
            throw new IOException("%s with %s: %s".formatted(traffic.name(), kind.label(), e.getMessage()), e);
        } finally {
            cleanup.end(server);
        }
    }
}
