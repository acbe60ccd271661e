package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.NetworkNamespace;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A stock guest and the host, over a TAP interface: jumbo frames, iperf3 both ways on two queue pairs. */
@Timeout(300)
class TapGuestTest {
    private static final int MTU_BYTES = 9000;
    private static final String MAC = "52:54:00:00:00:71";

    private static final String JOB = """
            modprobe virtio_net
            ip link set eth0 up
            ip addr add 10.7.0.2/24 dev eth0
            iperf3 -s -D
            emit "{\\"at\\":\\"listening\\",\\"mtu\\":$(cat /sys/class/net/eth0/mtu)}"
            receive >/dev/null
            """ + Lab.REPORT_KERNEL_ERRORS;

    @Test
    void theHostTalksToAGuest(@TempDir Path folder) throws Exception {
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        Path socket = folder.resolve("nic.sock");
        try (NetworkNamespace network = Lab.network("host");
                ServeProcess server = ServeProcess.startBy(
                        network.prefix(),
                        "name=nic,type=net,socket=%s,tap=tap0,mac=%s,queues=2,mtu=%d"
                                .formatted(socket, MAC, MTU_BYTES))) {
            long _ = server.awaitReady();
            network.ip("link set tap0 mtu " + MTU_BYTES + " up");
            network.ip("addr add 10.7.0.1/24 dev tap0");
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("tap")
                    .boot(GuestSpec.Boot.KERNEL)
                    .processors(2)
                    .disk("root", root, 0)
                    .device(VhostUserDevice.net("nic", socket)
                            .withQueuePairs(2)
                            .with("mac", MAC)
                            .with("host_mtu", MTU_BYTES));
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "listening");
                for (String ping : List.of("-s 56 10.7.0.2", "-s 8972 -M do 10.7.0.2")) {
                    List<String> words = new ArrayList<>(List.of("-n", "-q", "-i", "0.02", "-c", "20"));
                    words.addAll(List.of(ping.split(" ", -1)));
                    assertThat(network.run("usr/bin/ping", words.toArray(String[]::new)))
                            .as(ping)
                            .contains("20 received");
                }
                long toGuest = iperf(network, "10.7.0.2");
                long fromGuest = iperf(network, "10.7.0.2", "-R");
                long byFour = iperf(network, "10.7.0.2", "-P", "4");
                Lab.report(
                        "TapGuestTest: %d bytes to the guest, %d from it, %d by four connections",
                        toGuest, fromGuest, byFour);
                guest.send("end");
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                assertThat(Lab.line(result, "mtu").path("mtu").asInt()).isEqualTo(MTU_BYTES);
                assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                        .isEmpty();
            }
            assertThat(server.terminate()).as(server.output()).isZero();
            assertThat(server.output()).contains("nic: droppedMalformed 0", "0 guest faults");
        }
    }

    /** Bytes that arrived in a second. */
    private static long iperf(NetworkNamespace network, String address, String... more) throws Exception {
        List<String> words = new ArrayList<>(List.of("-c", address, "-t", "1", "-J"));
        words.addAll(List.of(more));
        JsonNode report = new JsonMapper().readTree(runUntilTaken(network, words));
        long bytes = report.path("end").path("sum_received").path("bytes").asLong();
        assertThat(bytes).as("%s", report).isPositive();
        return bytes;
    }

    /** The server turns away who comes before it is done with the one before. */
    private static String runUntilTaken(NetworkNamespace network, List<String> words) throws Exception {
        long end = System.nanoTime() + Lab.PATIENCE.toNanos();
        while (true) {
            try {
                return network.run("usr/bin/iperf3", words.toArray(String[]::new));
            } catch (IOException e) {
                if (System.nanoTime() > end) {
                    throw e;
                }
                Thread.sleep(200);
            }
        }
    }
}
