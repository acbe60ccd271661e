package io.fairlead.bench.vduse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.bench.BenchRow;
import io.fairlead.testbed.L1Kernel;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class VduseResultsTest {
    private static final VduseWorkload WRITES = new VduseWorkload("randwrite", 32);

    @Test
    void aRunIsReadsOrWritesInTheirTime() throws Exception {
        assertThat(VduseRun.of("4000 2000 0 0 150\n")).isEqualTo(new VduseRun(1000, 500, 1_500_000_000L));
        assertThat(VduseRun.of("0 0 800 1000 0")).isEqualTo(new VduseRun(200, 200, 0));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "4000 2000 0 0", "0 2000 0 0 10", "4000 0 0 0 10", "4000 2000 0 0 -1", "a b c d e"})
    void whatIsNoRunIsNoFigure(String line) {
        assertThatThrownBy(() -> VduseRun.of(line))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("figures");
    }

    @ParameterizedTest
    @CsvSource({"1000, 20, true, true", "999, 20, false, true", "1000, 21, true, false"})
    void barsAreHeldByTheMedians(double perSecond, long micros, boolean fast, boolean cheap) {
        VduseResults results = new VduseResults();
        for (double each : new double[] {1, perSecond, 100_000}) {
            results.add(WRITES, true, new VduseRun(10, each, micros * 10_000));
        }
        results.add(WRITES, false, new VduseRun(100, 1000, 2_000_000));

        List<BenchRow> rows = results.rows();
        assertThat(rows).hasSize(2);
        assertThat(rows.getFirst().name()).isEqualTo("rate/randwrite-4k/qd32");
        assertThat(rows.getFirst().held()).isEqualTo(fast);
        assertThat(rows.getLast().ours().median()).isEqualTo((double) micros);
        assertThat(rows.getLast().held()).isEqualTo(cheap);
        assertThat(results.tables().getFirst().text())
                .contains("randwrite-4k/qd32, I/O/s", fast ? "ratio >= 1: held" : "ratio >= 1: NOT held");
        assertThat(results.tables().getLast().text()).contains("randwrite-4k/qd32, µs an I/O");
    }

    @Test
    void optionsThatMakeNoSenseAreRefused() {
        VduseBenchOptions options = VduseBenchOptions.quick(L1Kernel.V6_12, List.of("fairlead"));
        assertThat(options.withRounds(3).rounds()).isEqualTo(3);
        assertThatThrownBy(() -> options.withRounds(0)).hasMessageContaining("rounds");
        assertThatThrownBy(() -> options.withRunTime(Duration.ofMillis(999))).hasMessageContaining("seconds");
    }
}
