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
            results.add(Contender.Kind.FAIRLEAD, figures(downtime, 40));
        }
        results.add(Contender.Kind.QEMU, figures(20, 20));

        BenchRow downtime = results.rows().getFirst();
        assertThat(downtime.name()).isEqualTo("fairlead/downtime, as QEMU says");
        assertThat(downtime.ours().median()).isEqualTo(median);
        assertThat(downtime.held()).isEqualTo(held);
        assertThat(results.rows().get(2).ratio()).isEqualTo(2.0);
        assertThat(results.rows()).filteredOn(row -> row.bar() != null).hasSize(1);
        assertThat(results.tables().getFirst().text())
                .contains(held ? "ratio <= 1: held" : "ratio <= 1: NOT held")
                .contains("outage of the disk");
    }

    private static MoveFigures figures(double downtimeMillis, double diskOutageMillis) {
        return new MoveFigures(new Mover.Move(downtimeMillis, 500, 100, 12.0), 30, diskOutageMillis, 1000);
    }

    @Test
    void nodesAndDevicesHaveTheirTimeInARowWithABar() {
        MigrateResults results = new MigrateResults();
        for (Contender.Kind kind : Contender.Kind.values()) {
            results.add(kind, figures(20, 20));
        }
        results.addRingTimes("""
                {"ready":true}
                {"name":"disk","longestStartMicros":1500,"longestStopMicros":51000}
                """);
        assertThat(results.rows())
                .filteredOn(row -> row.bar() != null)
                .extracting(row -> row.name() + " " + row.held())
                .containsExactly(
                        "fairlead/downtime, as QEMU says true",
                        "nodes/downtime, as QEMU says true",
                        "nodes/handover true",
                        "nodes, slow disk/handover true",
                        "device/longest stop of a ring in any move, disk false",
                        "device/longest start of a ring in any move, disk true");
        assertThat(results.tables()).hasSize(4);
    }

    @Test
    void refusesOptionsThatMeanNothing() {
        MigrateBenchOptions options = MigrateBenchOptions.full(Path.of("d"), QemuRelease.V11, List.of("f"));
        assertThat(options.rounds()).isEqualTo(9);
        assertThat(options.withRounds(3).rounds()).isEqualTo(3);
        assertThatThrownBy(() -> options.withRounds(0)).isInstanceOf(IllegalArgumentException.class);
    }
}
