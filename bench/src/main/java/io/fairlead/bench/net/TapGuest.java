package io.fairlead.bench.net;

import io.fairlead.bench.Cleanup;
import io.fairlead.bench.ProcessUsage;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.NetworkNamespace;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;

/**
 * A guest with two network cards, ours and QEMU's own, both on TAP interfaces of one network namespace, and what talks to
 * it from there.
 */
final class TapGuest {
    static final int PROCESSORS = 2;

    private static final Duration PATIENCE = Duration.ofMinutes(3);
    private static final Duration BUSY_PATIENCE = Duration.ofSeconds(20);
    private static final long RETRY_MILLIS = 100;

    private static final String JOB = """
            modprobe virtio_net
            for card in CARDS; do
                mac=${card%%/*} address=${card#*/}
                for interface in /sys/class/net/*; do
                    [ "$(cat $interface/address)" = $mac ] || continue
                    ip link set ${interface##*/} up && ip addr add $address dev ${interface##*/} || exit 1
                done
            done
            iperf3 -s -D
            [ "$(ip -o -4 addr show | grep -c 10.9.)" = 2 ] || exit 1
            emit '{"at":"listening"}'
            receive >/dev/null
            emit "{\\"kernelErrors\\":$(dmesg | grep -cE 'blocked for more|lockup|BUG:|Oops|is not a head')}"
            """;

    /**
     * Processor time so far, in nanoseconds.
     *
     * @param all of QEMU's process and our daemon's
     * @param device the same without the threads that are the guest's processors
     */
    record Usage(long all, long device) {
        Usage since(Usage before) {
            return new Usage(all - before.all, device - before.device);
        }
    }

    private final NetworkNamespace network;
    private final Guest guest;
    private final ServerProcess daemon;
    private final Set<Long> processorThreads = new TreeSet<>();

    private TapGuest(NetworkNamespace network, Guest guest, ServerProcess daemon) throws IOException {
        this.network = network;
        this.guest = guest;
        this.daemon = daemon;
        for (JsonNode processor : guest.machine().qmp().execute("query-cpus-fast")) {
            processorThreads.add(processor.path("thread-id").asLong(0));
        }
    }

    /**
     * Starts daemon and guest; both end with the cleanup.
     *
     * @param network where the TAP interfaces are made; stays the caller's
     * @throws IOException where one of them does not start, with what it said
     */
    static TapGuest start(
            Testbed testbed,
            QemuRelease release,
            List<String> fairlead,
            NetworkNamespace network,
            Path folder,
            Cleanup cleanup)
            throws IOException, InterruptedException {
        Path socket = folder.resolve("guest.sock");
        ServerProcess daemon = cleanup.add(ServerProcess.start(
                "fairlead serve",
                new ProcessBuilder(serve(network, fairlead, socket)),
                Files.createTempFile(folder, "fairlead", ".log")));
        daemon.awaitReady(written -> written.lines().anyMatch("ready"::equals), PATIENCE);
        Path root = folder.resolve("root.img");
        testbed.copyRootImage(root);
        Guest guest = cleanup.add(testbed.start(spec(release, network, socket, root)));
        for (GuestNic nic : GuestNic.values()) {
            network.ip("addr add %s/24 dev %s".formatted(nic.host(), nic.tap()));
            network.ip("link set %s up".formatted(nic.tap()));
        }
        JsonNode _ = guest.awaitLine(line -> line.path("at").asString("").equals("listening"), PATIENCE);
        return new TapGuest(network, guest, daemon);
    }

    private static List<String> serve(NetworkNamespace network, List<String> fairlead, Path socket) {
        List<String> words = new ArrayList<>(network.prefix());
        words.addAll(fairlead);
        words.addAll(List.of(
                "serve",
                "--device",
                // In a device's option a comma is written twice.
                "name=ours,type=net,socket=%s,tap=%s,mac=%s"
                        .formatted(
                                socket.toString().replace(",", ",,"),
                                GuestNic.FAIRLEAD.tap(),
                                GuestNic.FAIRLEAD.mac())));
        return words;
    }

    private static GuestSpec spec(QemuRelease release, NetworkNamespace network, Path socket, Path root) {
        StringBuilder cards = new StringBuilder();
        for (GuestNic nic : GuestNic.values()) {
            cards.append("%s/%s/24 ".formatted(nic.mac(), nic.guest()));
        }
        return GuestSpec.job(JOB.replace("CARDS", cards.toString().strip()))
                .name("net-bench")
                .release(release)
                .startedBy(network.prefix())
                .boot(GuestSpec.Boot.KERNEL)
                .processors(PROCESSORS)
                .disk("root", root, 0)
                .device(VhostUserDevice.net("ours", socket).with("mac", GuestNic.FAIRLEAD.mac()))
                .arguments(
                        "-netdev",
                        "tap,id=peer,vhost=off,script=no,downscript=no,ifname=" + GuestNic.QEMU.tap(),
                        "-device",
                        "virtio-net-pci,netdev=peer,mac=" + GuestNic.QEMU.mac());
    }

    /** What was used so far. */
    private Usage usage() throws IOException {
        long ours = ProcessUsage.of(daemon.pid()).cpuNanos();
        long all = ProcessUsage.of(guest.machine().pid()).cpuNanos();
        Map<Long, Long> processors =
                ProcessUsage.threadCpuNanos(guest.machine().pid(), (id, _) -> processorThreads.contains(id));
        long guestNanos =
                processors.values().stream().mapToLong(Long::longValue).sum();
        return new Usage(all + ours, all + ours - guestNanos);
    }

    /**
     * What one run measured.
     *
     * @param used processor time meanwhile
     */
    record Run(GuestTraffic.Outcome outcome, Usage used) {}

    /** Has something go over. */
    Run run(GuestNic nic, GuestTraffic traffic, Duration runTime) throws IOException, InterruptedException {
        String[] arguments = traffic.arguments(nic.guest(), runTime.toSeconds()).toArray(String[]::new);
        long end = System.nanoTime() + BUSY_PATIENCE.toNanos();
        while (true) {
            try {
                Usage before = usage();
                GuestTraffic.Outcome outcome = traffic.outcome(network.run(traffic.program(), arguments));
                return new Run(outcome, usage().since(before));
            } catch (IOException e) {
                // iperf3's server turns away who comes before it is done with the one before.
                if (System.nanoTime() > end) {
                    throw e;
                }
                TimeUnit.MILLISECONDS.sleep(RETRY_MILLIS);
            }
        }
    }

    /** Ends the guest; nothing may have gone wrong in it. */
    void end() throws IOException, InterruptedException {
        guest.send("end");
        JsonNode report = guest.awaitLine(line -> line.has("kernelErrors"), PATIENCE);
        if (report.path("kernelErrors").asInt(-1) != 0) {
            throw new IOException("the guest's kernel complained: " + report);
        }
    }
}
