package io.fairlead.bench.scsi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchRow;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.json.JsonMapper;

class ScsiResultsTest {
    private static final ScsiWorkload READS = new ScsiWorkload("randread", 4, 32);
    private static final JsonMapper JSON = new JsonMapper();

    @ParameterizedTest
    @CsvSource({"1000, 20, true, true", "999, 20, false, true", "1000, 21, true, false"})
    void barsAreHeldByTheMedians(double perSecond, long micros, boolean fast, boolean cheap) {
        ScsiResults results = new ScsiResults();
        for (double each : new double[] {1, perSecond, 100_000}) {
            results.add(READS, true, new ScsiGuest.Run(10, each), micros * 10_000);
        }
        results.add(READS, false, new ScsiGuest.Run(100, 1000), 2_000_000);
        results.addDirect(1, true, 90);
        results.addDirect(1, false, 100);

        List<BenchRow> rows = results.rows();
        assertThat(rows).hasSize(3);
        assertThat(rows.getFirst().name()).isEqualTo("guest/randread-4k/qd32");
        assertThat(rows.getFirst().held()).isEqualTo(fast);
        assertThat(rows.get(1).ours().median()).isEqualTo((double) micros);
        assertThat(rows.get(1).held()).isEqualTo(cheap);
        assertThat(rows.getLast().ratio()).isEqualTo(0.9);
        assertThat(rows.getLast().bar()).isNull();
        assertThat(results.tables().getFirst().text())
                .contains("randread-4k/qd32, I/O/s", fast ? "ratio >= 1: held" : "ratio >= 1: NOT held");
        assertThat(results.tables().getLast().text())
                .contains("randread-4k/qd1, I/O/s")
                .doesNotContain("qd32");
    }

    @Test
    void aRunThatFailedInTheGuestIsNoFigure() throws Exception {
        assertThat(ScsiGuest.Run.of(
                        JSON.readTree(
                                "{\"status\":0,\"readKib\":400,\"readMillis\":2000,\"writtenKib\":0,\"writeMillis\":0}"),
                        4))
                .isEqualTo(new ScsiGuest.Run(100, 50));
        for (String wrong :
                List.of("{\"status\":1,\"readKib\":400,\"readMillis\":2000}", "{\"status\":0,\"readKib\":0}", "{}")) {
            assertThatThrownBy(() -> ScsiGuest.Run.of(JSON.readTree(wrong), 4))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("fio failed");
        }
    }

    @Test
    void processorTimeIsOfThreadsThatComeAndGo() {
        assertThat(ScsiHost.since(Map.of(1L, 100L, 2L, 50L), Map.of(1L, 130L, 3L, 5L)))
                .isEqualTo(35);
    }

    @Test
    void optionsThatMakeNoSenseAreRefused() {
        ScsiBenchOptions options = ScsiBenchOptions.quick(Path.of("/tmp"), QemuRelease.V11, List.of("fairlead"));
        assertThat(options.withRounds(3).rounds()).isEqualTo(3);
        assertThatThrownBy(() -> options.withRounds(0)).hasMessageContaining("rounds");
        assertThatThrownBy(() -> options.withRunTime(Duration.ofMillis(999))).hasMessageContaining("seconds");
    }

    /** On the real devices. */
    @Test
    void theDeviceByItselfIsMeasuredAndNothingIsLeft(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("unit.img"), new byte[1 << 20]);
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        ScsiResults results = new ScsiResults();
        new DeviceCost(2, Duration.ofMillis(20), BenchProgress.NONE, results).measure(image);
        assertThat(results.rows()).hasSize(2).allSatisfy(row -> {
            assertThat(row.ours().count()).isEqualTo(2);
            assertThat(row.ours().min()).isPositive();
            assertThat(row.ratio()).isPositive();
        });
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }
}
