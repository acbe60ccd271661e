package io.fairlead.bench.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import io.fairlead.bench.BenchRow;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class GuestResultsTest {
    private static final String REPORT =
            "{\"end\": {\"sum_received\": {\"seconds\": 2, \"bytes\": %d, \"packets\": 99999}}}";

    @Test
    void iperfTellsWhatArrived() throws Exception {
        GuestTraffic.Outcome stream = GuestTraffic.TCP_FROM_GUEST.outcome(REPORT.formatted(1L << 30));
        assertThat(stream.value()).isCloseTo(4.295, offset(0.001));
        assertThat(stream.amount()).isEqualTo(1);
        GuestTraffic.Outcome packets = GuestTraffic.UDP_TO_GUEST.outcome(REPORT.formatted(18_000));
        assertThat(packets).isEqualTo(new GuestTraffic.Outcome(500, 1000));
        for (String nothing : List.of(REPORT.formatted(0), "{}", "no JSON")) {
            assertThatThrownBy(() -> GuestTraffic.UDP_FROM_GUEST.outcome(nothing))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("iperf3");
        }
    }

    @Test
    void theMedianRoundTripCounts() throws Exception {
        String answer = "64 bytes from 10.9.1.2: icmp_seq=1 ttl=64 time=%s ms\n";
        String written = answer.formatted("99.1") + answer.formatted("0.203") + answer.formatted("0.101");
        assertThat(GuestTraffic.PING.outcome(written)).isEqualTo(new GuestTraffic.Outcome(203, 3));
        assertThatThrownBy(() -> GuestTraffic.PING.outcome("3 packets transmitted, 0 received"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("no ping");
    }

    @Test
    void programsAreToldWhereAndHowLong() {
        assertThat(GuestTraffic.TCP_TO_GUEST.arguments("10.9.1.2", 3))
                .containsExactly("-c", "10.9.1.2", "-t", "3", "-J");
        assertThat(GuestTraffic.UDP_FROM_GUEST.arguments("10.9.1.2", 1)).contains("-u", "-l", "18", "-R");
        assertThat(GuestTraffic.PING.arguments("10.9.1.2", 1)).containsExactly("-n", "-A", "-w", "1", "10.9.1.2");
    }

    @Test
    void rowsHaveRateAndProcessorTime() {
        GuestResults results = new GuestResults();
        assertThat(results.tables()).isEmpty();
        results.add(
                GuestTraffic.TCP_TO_GUEST,
                GuestNic.FAIRLEAD,
                new GuestTraffic.Outcome(3, 2),
                new TapGuest.Usage(4_000_000_000L, 1_000_000_000L));
        results.add(
                GuestTraffic.TCP_TO_GUEST,
                GuestNic.QEMU,
                new GuestTraffic.Outcome(4, 1),
                new TapGuest.Usage(1_000_000_000L, 0));
        List<BenchRow> rows = results.rows();
        assertThat(rows)
                .extracting(BenchRow::name)
                .containsExactly(
                        "guest/tcp-to-guest vs qemu-tap",
                        "guest/tcp-to-guest/cpu vs qemu-tap",
                        "guest/tcp-to-guest/device-cpu vs qemu-tap");
        assertThat(rows.getFirst().ratio()).isEqualTo(0.75);
        assertThat(rows.get(1).unit()).isEqualTo("s/GiB");
        assertThat(rows.get(1).ratio()).isEqualTo(2);
        assertThat(rows.get(2).ratio()).isNull();
        assertThat(results.tables()).hasSize(3);
        assertThat(results.tables().getFirst().lines().getFirst()).contains("3.00 (3.00-3.00)", "0.75x");
    }
}
