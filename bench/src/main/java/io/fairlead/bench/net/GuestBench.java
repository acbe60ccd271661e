package io.fairlead.bench.net;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.RunCounter;
import io.fairlead.testbed.NetworkNamespace;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** Measures one guest with our network card and QEMU's own, in turn, by what the host and the guest send each other. */
final class GuestBench {
    private final NetBenchOptions options;
    private final BenchProgress progress;
    private final GuestResults results = new GuestResults();
    private final List<String> notes = new ArrayList<>();

    GuestBench(NetBenchOptions options, BenchProgress progress) {
        this.options = options;
        this.progress = progress;
    }

    GuestResults results() {
        return results;
    }

    /** How it was measured, or why not. */
    List<String> notes() {
        return List.copyOf(notes);
    }

    /** Measures, where this host has a network for it. */
    void measure(Testbed testbed, QemuRelease release, List<GuestTraffic> selected, Path folder, Cleanup cleanup)
            throws IOException, InterruptedException {
        Optional<String> obstacle = NetworkNamespace.obstacle();
        if (obstacle.isPresent()) {
            leaveOut(obstacle.get());
            return;
        }
        NetworkNamespace network;
        try {
            network = cleanup.add(NetworkNamespace.create(testbed, "bench"));
        } catch (IOException e) {
            leaveOut("a network namespace cannot be made: " + e.getMessage());
            return;
        }
        progress.step("Booting a guest with both cards");
        TapGuest guest = TapGuest.start(testbed, release, options.fairlead(), network, folder, cleanup);
        RunCounter counter =
                new RunCounter(progress, (options.rounds() + 1) * selected.size() * GuestNic.values().length);
        for (int round = 0; round <= options.rounds(); round++) {
            for (GuestTraffic traffic : selected) {
                List<GuestNic> nics = new ArrayList<>(List.of(GuestNic.values()));
                Collections.rotate(nics, round);
                for (GuestNic nic : nics) {
                    int _ = counter.begin("%s, %s".formatted(traffic.rowName(), nic.label()));
                    TapGuest.Run run = guest.run(nic, traffic, options.guestRunTime());
                    // Nothing is compiled in the first round.
                    if (round > 0) {
                        results.add(traffic, nic, run.outcome(), run.used());
                    }
                }
            }
        }
        guest.end();
        notes.add(
                "`%s`: one guest, %d processors, has both cards, each with one queue pair and a TAP interface in one network namespace of the host; `%s` is QEMU's own virtio-net-pci with vhost=off. %d rounds of %d s, the cards in turn, after one that does not count. iperf3 and ping of the host talk to the guest: TCP by one connection, UDP with frames of 64 bytes as fast as the sender can, of which those count that arrive, and the median round trip where the next ping goes as soon as the last is answered."
                        .formatted(
                                GuestTraffic.PREFIX,
                                TapGuest.PROCESSORS,
                                GuestNic.QEMU.label(),
                                options.rounds(),
                                options.guestRunTime().toSeconds()));
        notes.add(
                "Processor time there is that of QEMU's process, the guest's processors included, and of `fairlead serve` together, whichever card is measured; `device-cpu` is the same without the threads that are the guest's processors. Where those are emulated, QEMU's main thread hands our interrupts on to the guest, which under KVM nobody has to.");
    }

    private void leaveOut(String reason) {
        String line = "Without the rows `%s`: %s.".formatted(GuestTraffic.PREFIX, reason);
        progress.step(line);
        notes.add(line);
    }
}
