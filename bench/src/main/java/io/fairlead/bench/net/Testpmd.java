package io.fairlead.bench.net;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The command lines of DPDK's testpmd. One forwarding core takes packets from each of two ports and sends them on by the
 * other, as they are (forward mode io); the main core, which only reads commands, shares its processor. Without huge
 * pages memory is one memfd, which vhost-user can hand over.
 */
final class Testpmd {
    static final String FIRST_MAC = "52:54:00:00:00:01";
    static final String SECOND_MAC = "52:54:00:00:00:02";

    /** Entries of each queue. */
    static final int QUEUE_SIZE = 256;

    private static final int BUFFERS = 16_384;
    private static final int MEMORY_MIB = 512;

    private Testpmd() {}

    private static List<String> start(List<String> testpmd, int processor, String role) {
        List<String> words = new ArrayList<>(testpmd);
        words.addAll(List.of(
                "--lcores",
                "0@%1$d,1@%1$d".formatted(processor),
                "--no-huge",
                "--no-pci",
                "-m",
                Integer.toString(MEMORY_MIB),
                // Several may run at once: each needs a name of its own.
                "--file-prefix",
                "fairlead-%d-%s".formatted(ProcessHandle.current().pid(), role)));
        return words;
    }

    private static void addForwarding(List<String> words) {
        words.addAll(List.of(
                "--",
                "--no-numa",
                "--nb-cores=1",
                "--forward-mode=io",
                "--total-num-mbufs=" + BUFFERS,
                "--txd=" + QUEUE_SIZE,
                "--rxd=" + QUEUE_SIZE));
    }

    /** Serves two sockets by DPDK's vhost library. */
    static List<String> vhost(List<String> testpmd, int processor, Path first, Path second) {
        List<String> words = start(testpmd, processor, "vhost");
        words.addAll(List.of("--vdev", "net_vhost0,iface=" + first, "--vdev", "net_vhost1,iface=" + second));
        addForwarding(words);
        // Forwards at once and, as it tells its figures now and then, until it is ended, whatever its input is.
        words.add("--stats-period=3600");
        return words;
    }

    /** The client of both sockets. */
    static List<String> virtioUser(List<String> testpmd, int processor, Path first, Path second, Traffic traffic) {
        List<String> words = start(testpmd, processor, "client");
        String port = "net_virtio_user%%d,path=%%s,mac=%%s,queue_size=%d,packed_vq=%d"
                .formatted(QUEUE_SIZE, traffic.packed() ? 1 : 0);
        words.addAll(List.of(
                "--vdev", port.formatted(0, first, FIRST_MAC), "--vdev", port.formatted(1, second, SECOND_MAC)));
        addForwarding(words);
        words.addAll(List.of(
                "-i", "--eth-peer=0," + SECOND_MAC, "--eth-peer=1," + FIRST_MAC, "--txpkts=" + traffic.packetBytes()));
        return words;
    }

    /** Whether it takes commands. What it prints besides the prompt may come later. */
    static boolean isReady(String written) {
        return written.contains("testpmd> ");
    }
}
