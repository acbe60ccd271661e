package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.net.NetDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/**
 * Two stock guests, one on each release of QEMU, talk over the switch on two queue pairs: pings of all sizes, jumbo frames, a
 * VLAN, iperf3 by TCP and UDP both ways at a time, and files whose every byte is compared.
 */
@Timeout(300)
class NetTest {
    private static final int FILE_BYTES = 16 << 20;
    private static final int MTU_BYTES = 9000;

    private static final String SETUP = """
            modprobe -a virtio_net 8021q
            me=%1$s
            peer=%2$s
            ip link set eth0 up
            ip addr add 10.0.0.$me/24 dev eth0
            ip link add link eth0 name eth0.5 type vlan id 5
            ip link set eth0.5 up
            ip addr add 10.0.5.$me/24 dev eth0.5
            head -c %3$d /dev/urandom >/tmp/sent
            sum() { md5sum "$1" | cut -d' ' -f1; }
            # A listener whose input ends would end the connection.
            mkfifo /tmp/nothing
            exec 9<>/tmp/nothing
            nc -l -p 7000 <&9 >/tmp/got &
            listener=$!
            nc -l -p 7001 <&9 >/tmp/got2 &
            listener2=$!
            iperf3 -s -D
            emit "{\\"at\\":\\"listening\\",\\"mtu\\":$(cat /sys/class/net/eth0/mtu),\\"queues\\":$(ls -d /sys/class/net/eth0/queues/rx-* | wc -l)}"
            receive >/dev/null
            """;

    private static final String TALK = """
            pings() {
                received=$(ping -q -c 20 -i 0.02 -s $2 $1 | sed -n 's/.* \\([0-9]*\\) packets received.*/\\1/p')
                emit "{\\"ping\\":\\"$1 $2\\",\\"received\\":${received:-0}}"
            }
            ping -q -c 1 -w 5 10.0.0.$peer >/dev/null
            for size in 1 56 1472 8972 20000; do pings 10.0.0.$peer $size; done
            pings 10.0.5.$peer 1000
            """;

    /** Bytes that were sent and that arrived, both ways at a time; the server turns away who comes too early. */
    private static final String IPERF = """
            talk() {
                name=$1
                shift
                for try in $(seq 50); do
                    iperf3 -J -t 1 --bidir "$@" >/tmp/iperf && break
                    sleep 0.2
                done
                emit "{\\"iperf\\":\\"$name\\"$(awk '
                    /"sum[a-z_]*":/ { name = $1; sub(/:.*/, "", name) }
                    /"end":[^0-9]*$/ { over = 1 }
                    over && name && /"bytes":/ { sub(/,$/, "", $2); print "," name ":" $2; name = "" }
                    ' /tmp/iperf | tr -d '\\n')}"
            }
            talk tcp -c 10.0.0.$peer -P 4
            talk tcp-vlan -c 10.0.5.$peer
            talk udp -c 10.0.0.$peer -u -b 20M -l 8972
            """;

    private static final String TRANSFER = """
            nc 10.0.0.$peer 7000 </tmp/sent &
            nc 10.0.5.$peer 7001 </tmp/sent
            wait $! $listener $listener2
            emit "{\\"sent\\":\\"$(sum /tmp/sent)\\",\\"got\\":\\"$(sum /tmp/got)\\",\\"got2\\":\\"$(sum /tmp/got2)\\"}"
            """;

    private static GuestSpec spec(
            String job, String name, QemuRelease release, Path folder, Path socket, String mac, String packed)
            throws IOException {
        Path root = folder.resolve(name + ".img");
        Lab.TESTBED.copyRootImage(root);
        return GuestSpec.job(job + Lab.REPORT_KERNEL_ERRORS)
                .name(name)
                .release(release)
                .boot(GuestSpec.Boot.KERNEL)
                .disk("root", root, 0)
                .processors(2)
                .device(VhostUserDevice.net(name, socket)
                        .withQueuePairs(2)
                        .with("mac", mac)
                        .with("host_mtu", MTU_BYTES)
                        .with("packed", packed));
    }

    @ParameterizedTest
    @ValueSource(strings = {"off", "on"})
    void twoGuestsTalk(String packed, @TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            NetDevice left = net(devices, "left", "52:54:00:00:00:01");
            NetDevice right = net(devices, "right", "52:54:00:00:00:02");
            String setupLeft = SETUP.formatted("1", "2", FILE_BYTES);
            String setupRight = SETUP.formatted("2", "1", FILE_BYTES);
            GuestResult ofLeft;
            GuestResult ofRight;
            try (Guest a = Lab.TESTBED.start(spec(
                            setupLeft + TALK + IPERF + TRANSFER,
                            "left",
                            QemuRelease.V10,
                            folder,
                            devices.socket("left"),
                            "52:54:00:00:00:01",
                            packed));
                    Guest b = Lab.TESTBED.start(spec(
                            setupRight + TRANSFER,
                            "right",
                            QemuRelease.V11,
                            folder,
                            devices.socket("right"),
                            "52:54:00:00:00:02",
                            packed))) {
                Lab.await(a, "listening");
                Lab.await(b, "listening");
                a.send("go");
                b.send("go");
                ofLeft = a.awaitResult(Lab.PATIENCE);
                ofRight = b.awaitResult(Lab.PATIENCE);
            }
            Lab.report("NetTest packed=%s: left %s", packed, ofLeft.lines());
            Lab.report("NetTest packed=%s: right %s", packed, ofRight.lines());
            Lab.report("drops: left %s, right %s", left.drops(), right.drops());
            for (GuestResult result : List.of(ofLeft, ofRight)) {
                JsonNode start = Lab.line(result, "mtu");
                assertThat(start.path("mtu").asInt()).isEqualTo(MTU_BYTES);
                assertThat(start.path("queues").asInt()).isEqualTo(2);
                assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                        .isEmpty();
            }
            List<JsonNode> pings =
                    ofLeft.lines().stream().filter(line -> line.has("ping")).toList();
            assertThat(pings)
                    .hasSize(6)
                    .allSatisfy(
                            ping -> assertThat(ping.path("received").asInt()).isEqualTo(20));
            assertThat(ofLeft.lines().stream().filter(line -> line.has("iperf")))
                    .hasSize(3)
                    .allSatisfy(NetTest::checkArrived);
            String sentLeft = Lab.line(ofLeft, "sent").path("sent").asString();
            String sentRight = Lab.line(ofRight, "sent").path("sent").asString();
            assertThat(sentLeft).hasSize(32).isNotEqualTo(sentRight);
            for (String got : List.of("got", "got2")) {
                assertThat(Lab.line(ofLeft, "got").path(got).asString()).isEqualTo(sentRight);
                assertThat(Lab.line(ofRight, "got").path(got).asString()).isEqualTo(sentLeft);
            }
            for (NetDevice device : List.of(left, right)) {
                assertThat(device.statistics().queues().subList(0, 4))
                        .as("both queue pairs carry frames")
                        .allSatisfy(
                                queue -> assertThat(queue.snapshot().requests()).isPositive());
            }
            assertThat(left.drops().malformed() + right.drops().malformed()).isZero();
        }
    }

    /** Both count at moments of their own: what is under way at the end is sent and has not arrived. */
    private static void checkArrived(JsonNode line) {
        for (String way : List.of("", "_bidir_reverse")) {
            long sent = line.path("sum_sent" + way).asLong();
            assertThat(sent).as("%s", line).isPositive();
            assertThat(line.path("sum_received" + way).asLong()).as("%s", line).isGreaterThan(sent / 4);
        }
    }

    private static NetDevice net(SoftwareDevices devices, String name, String mac) throws Exception {
        return (NetDevice) devices.serve(
                name, "net", Map.of("switch", "lan", "mac", mac, "queues", "2", "mtu", Integer.toString(MTU_BYTES)));
    }
}
