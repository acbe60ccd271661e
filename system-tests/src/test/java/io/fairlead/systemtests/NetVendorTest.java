package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A stock guest moves from a card of ours to one of DPDK's vhost library, and back, by QEMU alone. At both places testpmd
 * answers pings: behind our switch through virtio_user, at the other by itself.
 */
@Tag("long")
@Timeout(600)
class NetVendorTest {
    private static final String MAC = "52:54:00:00:00:61";

    /** Says each answer; 10.9.0.1 is nobody's: testpmd answers for every address. */
    private static final String JOB = """
            ip link set eth0 up
            ip addr add 10.9.0.2/24 dev eth0
            (n=0
            while [ ! -e /tmp/over ]; do
                ping -q -c 1 -W 1 10.9.0.1 >/dev/null && n=$((n + 1)) && emit "{\\"answers\\":$n}"
                sleep 0.1
            done) &
            receive >/dev/null
            touch /tmp/over
            wait
            """ + Lab.REPORT_KERNEL_ERRORS;

    /** What DPDK's vhost does not offer; QEMU refuses to load a guest that uses it. */
    private static final List<String> NOT_BOTH = List.of(
            "host_tso4",
            "host_tso6",
            "host_ecn",
            "host_ufo",
            "host_uso",
            "guest_uso4",
            "guest_uso6",
            "queue_reset",
            "packed");

    private static VhostUserDevice card(String id, Path socket) {
        VhostUserDevice card = VhostUserDevice.net(id, socket).with("mac", MAC);
        for (String feature : NOT_BOTH) {
            card = card.with(feature, "off");
        }
        return card;
    }

    private static GuestSpec with(GuestSpec spec, Path socket) {
        return spec.device(card("nic", socket));
    }

    @Test
    void aGuestMovesToDpdksVhostAndBack(@TempDir Path folder) throws Exception {
        Path dpdk = folder.resolve("dpdk.sock");
        GuestSpec spec = GuestSpec.job(JOB).name("net-vendors");
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            for (String name : new String[] {"here", "back", "echo"}) {
                var _ = devices.serve(name, "net", attributes(name));
            }
            Process behind = testpmd(folder, "behind", "net_virtio_user0,path=" + devices.socket("echo"));
            Process dpdkVhost = testpmd(folder, "there", "net_vhost0,iface=" + dpdk);
            try {
                Awaitility.await().atMost(Lab.PATIENCE).until(() -> Files.exists(dpdk));
                try (MigratingGuest guest = MigratingGuest.start(Lab.TESTBED, with(spec, devices.socket("here")))) {
                    awaitMoreAnswers(guest);
                    long there = PlainMove.move(guest, with(spec.destination(), dpdk), subfolder(folder, "to-there"));
                    awaitMoreAnswers(guest);
                    long back = PlainMove.move(
                            guest, with(spec.destination(), devices.socket("back")), subfolder(folder, "to-back"));
                    awaitMoreAnswers(guest);
                    guest.send("end");
                    List<JsonNode> lines = guest.awaitResult(Lab.PATIENCE).lines();
                    assertThat(Lab.line(lines, "kernelErrors")
                                    .path("kernelErrors")
                                    .asString())
                            .isEmpty();
                    Lab.report(
                            "NetVendorTest: away %d ms to DPDK's vhost, %d ms back, %d answers",
                            there, back, answers(lines));
                }
            } finally {
                behind.destroyForcibly().waitFor();
                dpdkVhost.destroyForcibly().waitFor();
            }
        }
    }

    /** Who is at the switch of the one node alone finds somebody at the other, and is alone again. */
    @Test
    void aGuestMovesToDpdksVhostAndBackByNodes(@TempDir Path folder) throws Exception {
        Path dpdk = folder.resolve("dpdk.sock");
        Process daemon = testpmd(folder, "dpdk", "net_vhost0,iface=" + dpdk);
        try {
            Awaitility.await().atMost(Lab.PATIENCE).until(() -> Files.exists(dpdk));
            TwoNodes.Served served = new TwoNodes.Served(
                    "net", "switch=lan,mac=" + MAC, NetVendorTest::card, false, UnaryOperator.identity());
            try (TwoNodes nodes = new TwoNodes(folder, served, "emit '{\"at\":\"busy\"}'\n" + JOB, List.of())) {
                nodes.b.node.close();
                nodes.b.start("backend=%s,queues=2,mac=%s".formatted(dpdk, MAC));
                var _ = nodes.startDestination();
                TwoNodes.Ended check = nodes.migrate("--check").end();
                Lab.report("%s", check.text());
                assertThat(check.exitCode()).isZero();
                assertThat(answers(nodes.guest.lines())).isZero();
                NodeMigrationTest.moves(nodes);
                awaitMoreAnswers(nodes.guest);
                var _ = nodes.startDestination();
                NodeMigrationTest.moves(nodes);
                long atMost = answers(nodes.guest.lines()) + 1;
                nodes.guest.send("end");
                List<JsonNode> lines = nodes.guest.awaitResult(Lab.PATIENCE).lines();
                assertThat(answers(lines)).isLessThanOrEqualTo(atMost);
                assertThat(Lab.line(lines, "kernelErrors").path("kernelErrors").asString())
                        .isEmpty();
            }
        } finally {
            daemon.destroyForcibly().waitFor();
        }
    }

    /** DPDK's vhost has no DEVICE_STATE, and reads what QEMU takes along from nobody who has. */
    private static Map<String, String> attributes(String name) {
        return switch (name) {
            case "here" -> Map.of("switch", "lan", "mac", MAC, "device-state", "off");
            case "back" -> Map.of("switch", "lan", "mac", MAC);
            default -> Map.of("switch", "lan");
        };
    }

    private static Process testpmd(Path folder, String name, String device) throws IOException {
        List<String> words = new ArrayList<>(Lab.TESTBED.testpmd());
        words.addAll(List.of("--lcores", "0@0,1@0", "--no-huge", "--no-pci", "-m", "256"));
        words.addAll(List.of(
                "--file-prefix",
                "fairlead-%s-%d".formatted(name, ProcessHandle.current().pid())));
        words.addAll(List.of("--vdev", device, "--", "--no-numa", "--nb-cores=1", "--total-num-mbufs=8192"));
        words.add("--forward-mode=icmpecho");
        // As it tells its figures now and then, it runs until it is ended, whatever its input is.
        words.add("--stats-period=3600");
        return new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(name + ".log").toFile())
                .start();
    }

    private static long answers(List<JsonNode> lines) {
        return lines.stream().filter(line -> line.has("answers")).count();
    }

    private static void awaitMoreAnswers(MigratingGuest guest) {
        long before = answers(guest.lines());
        Awaitility.await().atMost(Lab.PATIENCE).until(() -> answers(guest.lines()) >= before + 5);
    }

    private static Path subfolder(Path folder, String name) throws IOException {
        return Files.createDirectory(folder.resolve(name));
    }
}
