package io.fairlead.bench.migrate;

import io.fairlead.bench.Cleanup;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SequencedMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Two nodes, as two hosts have them, and {@code fairlead migrate}: TLS on the nodes' channel and on QEMU's stream, a
 * journal on either side, requests in flight carried over.
 */
final class NodeMover implements Mover {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(3);
    private static final JsonMapper JSON = new JsonMapper();
    private static final String MACHINE = "moves";
    private static final double BYTES_PER_MIB = 1 << 20;

    private final List<String> fairlead;
    private final Path folder;
    private final List<Integer> ports = new ArrayList<>();

    private NodeMover(List<String> fairlead, Path folder) {
        this.fairlead = fairlead;
        this.folder = folder;
    }

    /**
     * Starts the nodes.
     *
     * @param fairlead how to start the fairlead command
     * @param folder theirs alone
     * @param devices of the machine
     */
    static NodeMover start(List<String> fairlead, Path folder, NodeDevices devices, Cleanup cleanup)
            throws IOException {
        NodeMover mover = new NodeMover(fairlead, folder);
        Path certificates = FairleadCommand.createCertificates(fairlead, folder);
        for (int host = 0; host < Contender.HOSTS; host++) {
            mover.startNode(host, certificates, devices.at(host), cleanup);
        }
        return mover;
    }

    private String at(String name) {
        return folder.resolve(name).toString();
    }

    Path socket(int host, String device) {
        return folder.resolve(device + host + ".sock");
    }

    private void startNode(int host, Path certificates, SequencedMap<String, String> devices, Cleanup cleanup)
            throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            ports.add(free.getLocalPort());
        }
        List<String> words = new ArrayList<>(fairlead);
        words.addAll(List.of(
                "node",
                "--name",
                "host" + host,
                "--state",
                at("state" + host),
                "--control",
                at("control" + host),
                "--listen",
                "localhost:" + ports.get(host),
                "--certificates",
                certificates.toString(),
                "--machine",
                "name=%s,qmp=%s,devices=%s"
                        .formatted(MACHINE, Contender.escaped(monitor(host)), String.join("+", devices.keySet()))));
        devices.forEach((name, attributes) -> words.addAll(List.of(
                "--device",
                "name=%s,socket=%s,%s".formatted(name, Contender.escaped(socket(host, name)), attributes))));
        ServerProcess process = cleanup.add(ServerProcess.start(
                "fairlead node", new ProcessBuilder(words), Files.createTempFile(folder, "node", ".log")));
        process.awaitReady(written -> written.lines().anyMatch("ready"::equals), START_TIMEOUT);
    }

    private Path monitor(int host) {
        return folder.resolve("monitor" + host);
    }

    @Override
    public Move move(int from, Guest source, Guest destination) throws IOException {
        int to = 1 - from;
        monitorOf(from, source);
        monitorOf(to, destination);
        String said = FairleadCommand.run(
                fairlead,
                "migrate",
                MACHINE,
                "--json",
                "--control",
                at("control" + from),
                "--to",
                "localhost:" + ports.get(to),
                "--max-bandwidth",
                Long.toString(PlainMover.BANDWIDTH),
                "--downtime-limit-millis",
                Long.toString(PlainMover.DOWNTIME_LIMIT.toMillis()));
        for (String line : said.lines().toList()) {
            JsonNode report = line.startsWith("{") ? JSON.readTree(line).path("report") : JSON.missingNode();
            if (report.isObject()) {
                return new Move(
                        report.path("qemuDowntimeMillis").asDouble(),
                        report.path("totalMillis").asDouble(),
                        report.path("transferredBytes").asDouble() / BYTES_PER_MIB,
                        report.path("stopMillis").asDouble()
                                + report.path("startedMillis").asDouble()
                                - report.path("loadedMillis").asDouble());
            }
        }
        throw new IOException("fairlead migrate did not report: " + said);
    }

    /** The node finds the machine's QEMU at a path that stays. */
    private void monitorOf(int host, Guest guest) throws IOException {
        Files.deleteIfExists(monitor(host));
        Files.createSymbolicLink(monitor(host), guest.nodeMonitor());
    }
}
