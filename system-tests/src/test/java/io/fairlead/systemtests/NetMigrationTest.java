package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.NetworkNamespace;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/**
 * A stock guest moves from one serving process to another under load. The cards of both have a TAP interface at one bridge,
 * as on two hosts of one network; who pings the guest and talks to it by TCP notices no more than a pause.
 */
@Timeout(600)
class NetMigrationTest {
    private static final String MAC = "52:54:00:00:00:51";
    private static final String GUEST = "10.8.0.2";
    private static final int PORT = 7000;
    private static final int PING_MILLIS = 5;
    private static final int PINGS = 1200;
    private static final int MANY_PINGS = 10_000;

    /** For what is not QEMU's downtime: the destination going on, and its announcement. */
    private static final long SLACK_MILLIS = 500;

    private static final String JOB = """
            ip link set eth0 up
            ip addr add %s/24 dev eth0
            nc -l -p %d -e cat &
            queues=$(ls -d /sys/class/net/eth0/queues/rx-* | wc -l)
            packed=$(cut -c35 /sys/class/net/eth0/device/features)
            emit "{\\"at\\":\\"listening\\",\\"queues\\":$queues,\\"packed\\":$packed}"
            receive >/dev/null
            """.formatted(GUEST, PORT) + Lab.REPORT_KERNEL_ERRORS;

    private static final Pattern SUMMARY = Pattern.compile("(\\d+) packets transmitted, (\\d+) received");

    @ParameterizedTest
    @CsvSource({"V11, 1, on, off", "V10, 1, off, on"})
    void whoTalksToAGuestThatMovesNoticesAPause(
            QemuRelease release, int pairs, String guestAnnounces, String packed, @TempDir Path folder)
            throws Exception {
        move(release, pairs, guestAnnounces, packed, PINGS, folder);
    }

    @ParameterizedTest
    @Tag("long")
    @CsvSource({
        "V11, 1, on, off",
        "V11, 1, on, on",
        "V11, 2, on, on",
        "V10, 2, off, off",
        "V10, 1, on, on",
        "V10, 2, off, on",
        "V11, 2, off, off"
    })
    void tenThousandPings(QemuRelease release, int pairs, String guestAnnounces, String packed, @TempDir Path folder)
            throws Exception {
        move(release, pairs, guestAnnounces, packed, MANY_PINGS, folder);
    }

    /**
     * @param guestAnnounces whether QEMU lets the guest do it; else it asks the device
     * @param packed whether the rings are
     */
    private static void move(
            QemuRelease release, int pairs, String guestAnnounces, String packed, int pings, Path folder)
            throws Exception {
        GuestSpec spec = GuestSpec.job(JOB).name("net-moves").release(release).processors(2);
        try (NetworkNamespace network = Lab.network("moves");
                ServeProcess here = serve(network, folder, "here", pairs);
                ServeProcess there = serve(network, folder, "there", pairs)) {
            bridge(network, here, there);
            GuestSpec destination = with(spec.destination(), folder, "there", pairs, guestAnnounces, packed);
            try (MigratingGuest guest =
                    MigratingGuest.start(Lab.TESTBED, with(spec, folder, "here", pairs, guestAnnounces, packed))) {
                Lab.await(guest.current(), "listening");
                Background ping = Background.start(
                        network.program(
                                "usr/bin/ping",
                                "-n",
                                "-q",
                                "-i",
                                Double.toString(PING_MILLIS / 1e3),
                                "-c",
                                Integer.toString(pings),
                                GUEST),
                        folder.resolve("ping.log"));
                Background talk = Background.start(echoCheck(network), folder.resolve("echo.log"));
                Background seen = Background.start(
                        network.program("usr/bin/tcpdump", "-Z", "root", "-lnei", "br0", "arp or rarp"),
                        folder.resolve("seen.log"));
                try (ping;
                        talk;
                        seen) {
                    talk.await("connected");
                    seen.await("listening on");
                    long awayMillis = PlainMove.move(guest, destination, folder);
                    seen.await(announcement(guestAnnounces));
                    int lost = lost(ping.awaitEnd(), pings);
                    long compared = compared(talk.awaitEnd());
                    Lab.report(
                            "NetMigrationTest %s, %d pairs, guest announces: %s, packed rings: %s:"
                                    + " away %d ms, %d of %d pings lost, %d bytes compared",
                            release, pairs, guestAnnounces, packed, awayMillis, lost, pings, compared);
                    assertThat(lost).isLessThanOrEqualTo((int) ((awayMillis + SLACK_MILLIS) / PING_MILLIS));
                    assertThat(compared).isPositive();
                }
                assertThat(network.run("usr/sbin/bridge", "fdb", "show"))
                        .containsPattern(MAC + " dev tapthere")
                        .doesNotContainPattern(MAC + " dev taphere");
                guest.send("end");
                List<JsonNode> lines = guest.awaitResult(Lab.PATIENCE).lines();
                JsonNode card = Lab.line(lines, "queues");
                assertThat(card.path("queues").asInt()).isEqualTo(pairs);
                assertThat(card.path("packed").asInt()).isEqualTo(packed.equals("on") ? 1 : 0);
                assertThat(Lab.line(lines, "kernelErrors").path("kernelErrors").asString())
                        .isEmpty();
            }
        }
    }

    private static ServeProcess serve(NetworkNamespace network, Path folder, String name, int pairs)
            throws IOException {
        return ServeProcess.startBy(
                network.prefix(),
                "name=nic,type=net,socket=%s,tap=tap%s,mac=%s,queues=%d"
                        .formatted(folder.resolve(name + ".sock"), name, MAC, pairs));
    }

    private static void bridge(NetworkNamespace network, ServeProcess... servers) throws Exception {
        for (ServeProcess server : servers) {
            long _ = server.awaitReady();
        }
        network.ip("link add br0 type bridge");
        for (String tap : List.of("taphere", "tapthere")) {
            network.ip("link set " + tap + " master br0 up");
        }
        network.ip("addr add 10.8.0.1/24 dev br0");
        network.ip("link set br0 up");
    }

    private static GuestSpec with(
            GuestSpec spec, Path folder, String name, int pairs, String guestAnnounces, String packed) {
        return spec.device(VhostUserDevice.net("nic", folder.resolve(name + ".sock"))
                .withQueuePairs(pairs)
                .with("mac", MAC)
                .with("guest_announce", guestAnnounces)
                .with("packed", packed));
    }

    private static ProcessBuilder echoCheck(NetworkNamespace network) {
        List<String> words = new ArrayList<>(network.prefix());
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(List.of("-XX:+UseSerialGC", "-Xmx64m", "-XX:TieredStopAtLevel=1"));
        words.addAll(List.of("-cp", System.getProperty("java.class.path")));
        words.addAll(List.of(EchoCheck.class.getName(), GUEST, Integer.toString(PORT)));
        return new ProcessBuilder(words);
    }

    /** What the bridge sees: the guest's own ARP about itself, or the reverse ARP of the device. */
    private static String announcement(String guestAnnounces) {
        return guestAnnounces.equals("on")
                ? "%1$s > .*(Announcement %2$s|who-has %2$s tell %2$s)".formatted(MAC, GUEST)
                : "%s > .*Reverse Request who-is %s tell %s".formatted(MAC, MAC, MAC);
    }

    private static int lost(String output, int pings) {
        Matcher matcher = SUMMARY.matcher(output);
        assertThat(matcher.find()).as(output).isTrue();
        assertThat(Integer.parseInt(matcher.group(1))).as(output).isEqualTo(pings);
        return pings - Integer.parseInt(matcher.group(2));
    }

    private static long compared(String output) {
        assertThat(output).containsPattern("compared \\d+");
        return Long.parseLong(output.strip().replaceAll("(?s).*compared ", ""));
    }

    /** A program that runs beside the test and writes to a file. Its input ends when its end is waited for. */
    private record Background(Process process, Path log) implements AutoCloseable {
        static Background start(ProcessBuilder builder, Path log) throws IOException {
            return new Background(
                    builder.redirectErrorStream(true)
                            .redirectOutput(log.toFile())
                            .start(),
                    log);
        }

        String written() throws IOException {
            return Files.readString(log, StandardCharsets.UTF_8);
        }

        void await(String pattern) {
            Pattern wanted = Pattern.compile(pattern);
            Awaitility.await().atMost(Lab.PATIENCE).untilAsserted(() -> {
                String text = written();
                assertThat(process.isAlive() || wanted.matcher(text).find())
                        .as(text)
                        .isTrue();
                assertThat(text).containsPattern(wanted);
            });
        }

        String awaitEnd() throws Exception {
            process.getOutputStream().close();
            assertThat(process.waitFor(Lab.PATIENCE.toSeconds(), java.util.concurrent.TimeUnit.SECONDS))
                    .as(written())
                    .isTrue();
            return written();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }
}
