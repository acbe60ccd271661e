package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;

/**
 * Two hosts, each with its own vendor's network card at the same network, and a guest that pings the network's host all the
 * time and answers on a TCP port with what it gets. Behind the simulator nobody answers, but what the guest sends to all
 * comes back. One thread.
 */
final class NetHosts extends VendorHosts {
    static final String GUEST = "10.8.0.2";
    static final int PORT = 7000;

    private static final String JOB = """
            ip link set eth0 up
            ip addr add %1$s/24 dev eth0
            nc -l -p %2$d -e cat &
            (answers=0
            while [ ! -e /tmp/over ]; do
                ping -q -c 1 -W 1 10.8.0.1 >/dev/null && answers=$((answers + 1)) \
                    || ping -q -c 1 -W 1 10.8.0.255 >/dev/null
                emit "{\\"answers\\":$answers,\\"frames\\":$(cat /sys/class/net/eth0/statistics/rx_packets)}"
                sleep 0.2
            done) &
            pings=$!
            emit '{"at":"load"}'
            receive >/dev/null
            touch /tmp/over
            wait $pings
            """.formatted(GUEST, PORT) + Lab.REPORT_KERNEL_ERRORS;

    /** Rounds of the guest after which it is believed that the card works. */
    private static final int MORE = 3;

    private final List<NetKind> kinds;
    private int at;

    /** What came back to the guest. */
    record Received(long answers, long frames) {}

    NetHosts(Path folder, List<NetKind> kinds, Guests guests) throws IOException, InterruptedException {
        super(
                folder,
                NetKind.cards(kinds.getFirst(), kinds.getLast()),
                List.of(QemuRelease.V11, QemuRelease.V11),
                guests,
                JOB,
                UnaryOperator.identity());
        this.kinds = kinds;
    }

    @Override
    Move move() throws IOException, InterruptedException {
        Move move = super.move();
        at = 1 - at;
        return move;
    }

    /** Waits until more came back to the guest, in the way of the card that it has. */
    @Override
    void load() {
        Received before = received();
        boolean loops = kinds.get(at).loops();
        await(() -> {
            Received now = received();
            return loops ? now.frames() >= before.frames() + MORE : now.answers() >= before.answers() + MORE;
        });
    }

    Received received() {
        long answers = 0;
        long frames = 0;
        for (JsonNode line : guest().lines()) {
            answers = Math.max(answers, line.path("answers").asLong(0));
            frames = Math.max(frames, line.path("frames").asLong(0));
        }
        return new Received(answers, frames);
    }

    /** Lets the guest power off, and checks that nothing failed. */
    Received end() throws IOException, InterruptedException {
        guest().send("stop");
        GuestResult result = guest().awaitResult(Lab.PATIENCE);
        assertThat(result.status()).isZero();
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
        checkHosts();
        return received();
    }
}
