package io.fairlead.bench.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.bench.BenchRow;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetResultsTest {
    private static final Path FOLDER = Path.of("/tmp");

    @ParameterizedTest
    @CsvSource({"64, 10e6, true", "64, 9.9e6, false", "1500, 9.9e6,"})
    void smallPacketsHaveABar(int bytes, double ours, Boolean held) {
        NetResults results = new NetResults();
        Traffic traffic = new Traffic(bytes, false);
        for (double rate : new double[] {1e6, ours, 99e6}) {
            results.add(traffic, NetServer.Kind.FAIRLEAD, new NetLoad(rate, 80));
            results.add(traffic, NetServer.Kind.DPDK, new NetLoad(10e6, 100));
        }
        List<BenchRow> rows = results.rows();
        assertThat(rows)
                .extracting(BenchRow::name)
                .containsExactly(traffic.name() + "/rate vs dpdk-vhost", traffic.name() + "/cpu vs dpdk-vhost");
        assertThat(rows.getFirst().held()).isEqualTo(held);
        assertThat(rows.get(1).ratio()).isEqualTo(0.8);
        assertThat(rows.get(1).held()).isNull();
        assertThat(results.tables().getFirst().lines().getFirst())
                .contains("10.0 (10.0-10.0)", held == null ? "" : "ratio >= 1: " + (held ? "held" : "NOT held"));
    }

    @Test
    void ratesAreThoseOfTheSecondLook() throws Exception {
        String look = "  Rx-pps:  %d   Rx-bps: 1\n  Tx-pps:  7  Tx-bps: 1\n";
        String written = (look + look + look + look).formatted(0, 0, 3_000, 4_000);
        assertThat(ForwardClient.rate(written)).isEqualTo(7_000);
        assertThatThrownBy(() -> ForwardClient.rate((look + look).formatted(1, 2)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("2 rates");
        assertThatThrownBy(() -> ForwardClient.rate((look + look + look + look).formatted(5, 5, 5, 0)))
                .hasMessageContaining("no packet");
    }

    @Test
    void processorsAreListedAsTheKernelDoes() {
        assertThat(Processors.numbersIn("\t0-2,7\n")).containsExactly(0, 1, 2, 7);
        assertThat(Processors.numbersIn("")).isEmpty();
    }

    @Test
    void commandLinesNameSocketsProcessorsAndRings() {
        Path first = Path.of("/run/a");
        Path second = Path.of("/run/b");
        assertThat(Testpmd.vhost(List.of("pmd"), 3, first, second))
                .startsWith("pmd", "--lcores", "0@3,1@3", "--no-huge")
                .contains("net_vhost0,iface=/run/a", "net_vhost1,iface=/run/b", "--stats-period=3600");
        assertThat(Testpmd.virtioUser(List.of("pmd"), 0, first, second, new Traffic(1500, true)))
                .contains(
                        "net_virtio_user1,path=/run/b,mac=52:54:00:00:00:02,queue_size=256,packed_vq=1",
                        "--txpkts=1500",
                        "--eth-peer=0,52:54:00:00:00:02")
                .doesNotContain("--stats-period=3600");
    }

    @Test
    void optionsAreChecked() {
        NetBenchOptions options = NetBenchOptions.quick(FOLDER, List.of("fairlead"), List.of("pmd"));
        assertThatThrownBy(() -> options.withRounds(0)).hasMessageContaining("rounds");
        assertThatThrownBy(() -> options.withRunTime(Duration.ZERO)).hasMessageContaining("seconds");
        NetBenchOptions small = options.withSelect(Pattern.compile("/64"));
        assertThat(Traffic.all())
                .filteredOn(traffic -> small.isSelected(traffic.name()))
                .hasSize(2);
        assertThat(options.withRunTime(Duration.ofMillis(1200)).guestRunTime()).hasSeconds(2);
    }

    @Test
    void somethingIsToBeMeasured() throws Exception {
        NetBenchOptions none = NetBenchOptions.quick(FOLDER, List.of("fairlead"), List.of("pmd"))
                .withSelect(Pattern.compile("none"));
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            assertThatThrownBy(() -> NetBench.run(none, QemuRelease.V11, testbed, (_, _, _, _) -> {}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("none");
        }
    }
}
