package io.fairlead.bench.fs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.bench.BenchRow;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FsResultsTest {
    private static FsWorkload workload(String name) {
        return FsWorkload.all().stream()
                .filter(each -> each.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({"1000, true", "999, false", "4000, true"})
    void theBarIsHeldByTheMedianRate(double median, boolean held) {
        FsResults results = new FsResults();
        for (double rate : new double[] {9000, 1, median}) {
            results.add(workload("create"), FsServer.Kind.FAIRLEAD, new FsRun(rate, 3));
        }
        results.add(workload("create"), FsServer.Kind.VIRTIOFSD, new FsRun(1000, 6));
        List<BenchRow> rows = results.rows();
        assertThat(rows).extracting(BenchRow::name).containsExactly("create/rate", "create/cpu");
        assertThat(rows.getFirst().held()).isEqualTo(held);
        assertThat(rows.get(1).ratio()).isEqualTo(0.5);
        assertThat(rows.get(1).bar()).isNull();
        assertThat(results.tables().getFirst().text())
                .contains(held ? "ratio >= 1: held" : "ratio >= 1: NOT held")
                .contains("virtiofsd");
    }

    @Test
    void everyBarOfTheDesignHasItsWorkload() {
        assertThat(FsWorkload.all().stream().filter(FsWorkload::barred).map(FsWorkload::name))
                .contains("randread-4k/qd1", "create", "stat", "unlink", "readdir");
        assertThat(FsWorkload.all()).extracting(FsWorkload::name).doesNotHaveDuplicates();
    }

    @Test
    void aRunIsOperationsAndTheServersTime() {
        FsRun run = FsRun.of(2000, 0.5, 10_000_000);
        assertThat(run.perSecond()).isEqualTo(4000);
        assertThat(run.serverMicros()).isEqualTo(5);
    }

    @Test
    void refusesOptionsThatMeanNothing() {
        FsBenchOptions options = FsBenchOptions.full(Path.of("d"), List.of("f"), List.of("v"));
        assertThat(options.withRounds(3).rounds()).isEqualTo(3);
        assertThatThrownBy(() -> options.withRounds(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new FsBenchOptions(1, 0, 1, 1, Path.of("d"), List.of(), List.of()))
                .hasMessageContaining("seconds");
        assertThatThrownBy(() -> new FsBenchOptions(1, 1, 0, 1, Path.of("d"), List.of(), List.of()))
                .hasMessageContaining("files");
        assertThatThrownBy(() -> new FsBenchOptions(1, 1, 1, 0, Path.of("d"), List.of(), List.of()))
                .hasMessageContaining("data");
    }
}
