package io.fairlead.bench.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.bench.BenchRow;
import io.fairlead.testbed.QemuRelease;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MigrateResultsTest {
    @ParameterizedTest
    @CsvSource({"20, true", "21, false", "5, true"})
    void theBarIsHeldByTheMedianDowntimeBesideThePeers(double median, boolean held) {
        MigrateResults results = new MigrateResults();
        for (double downtime : new double[] {900, 1, median}) {
            results.add(Contender.Kind.FAIRLEAD, new MoveFigures(downtime, 30, 40, 500, 100, 1000));
        }
        results.add(Contender.Kind.QEMU, new MoveFigures(20, 30, 20, 500, 100, 1000));

        BenchRow downtime = results.rows().getFirst();
        assertThat(downtime.name()).isEqualTo("migrate/downtime, as QEMU says");
        assertThat(downtime.ours().median()).isEqualTo(median);
        assertThat(downtime.held()).isEqualTo(held);
        assertThat(results.rows().get(2).ratio()).isEqualTo(2.0);
        assertThat(results.rows()).filteredOn(row -> row.bar() != null).hasSize(1);
        assertThat(results.table().text())
                .contains(held ? "ratio <= 1: held" : "ratio <= 1: NOT held")
                .contains("outage of the disk");
    }

    @Test
    void refusesOptionsThatMeanNothing() {
        MigrateBenchOptions options = MigrateBenchOptions.full(Path.of("d"), QemuRelease.V11, List.of("f"));
        assertThat(options.rounds()).isEqualTo(9);
        assertThat(options.withRounds(3).rounds()).isEqualTo(3);
        assertThatThrownBy(() -> options.withRounds(0)).isInstanceOf(IllegalArgumentException.class);
    }
}
