package io.fairlead.bench.net;

import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A running server of two network devices between which packets go, on one processor.
 *
 * @param first the socket of one
 * @param second the socket of the other
 */
record NetServer(Path first, Path second, ServerProcess process) implements AutoCloseable {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(1);

    /** Which server. */
    enum Kind {
        FAIRLEAD("fairlead"),
        DPDK("dpdk-vhost");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        /** Short name, also part of file names. */
        String label() {
            return label;
        }
    }

    /**
     * Starts one.
     *
     * @param folder for its sockets and its log
     */
    static NetServer start(Kind kind, NetBenchOptions options, Path folder, int processor) throws IOException {
        Path first = folder.resolve("first.sock");
        Path second = folder.resolve("second.sock");
        Files.deleteIfExists(first);
        Files.deleteIfExists(second);
        List<String> words = switch (kind) {
            case FAIRLEAD -> fairlead(options, processor, first, second);
            case DPDK -> Testpmd.vhost(options.testpmd(), processor, first, second);
        };
        ServerProcess process = ServerProcess.start(
                kind.label(), new ProcessBuilder(words), Files.createTempFile(folder, kind.label(), ".log"));
        process.awaitReady(
                written -> kind == Kind.FAIRLEAD
                        ? written.lines().anyMatch("ready"::equals)
                        : Files.exists(first) && Files.exists(second),
                START_TIMEOUT);
        return new NetServer(first, second, process);
    }

    private static List<String> fairlead(NetBenchOptions options, int processor, Path first, Path second) {
        List<String> words = new ArrayList<>(List.of("taskset", "--cpu-list", Integer.toString(processor)));
        words.addAll(options.fairlead());
        words.add("serve");
        words.add("--device");
        words.add(device("first", first, Testpmd.FIRST_MAC));
        words.add("--device");
        words.add(device("second", second, Testpmd.SECOND_MAC));
        return words;
    }

    private static String device(String name, Path socket, String mac) {
        // In a device's option a comma is written twice.
        return "name=%s,type=net,socket=%s,switch=bench,mac=%s"
                .formatted(name, socket.toString().replace(",", ",,"), mac);
    }

    @Override
    public void close() {
        process.close();
    }
}
