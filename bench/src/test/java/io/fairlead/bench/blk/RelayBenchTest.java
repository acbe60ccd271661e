package io.fairlead.bench.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.BenchRow;
import io.fairlead.linux.Fd;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RelayBenchTest {
    @TempDir
    private Path folder;

    @Test
    void measuresBothWaysOfLoggingAndLeavesNothingBehind() throws Exception {
        long descriptors = Fd.openCount();
        try (Testbed testbed = Testbed.open(Progress.NONE)) {
            RelayBench.Options options = new RelayBench.Options(
                    1,
                    Duration.ofMillis(100),
                    folder,
                    16 << 20,
                    testbed.libblkio().library());
            BenchReport report = RelayBench.run(options, BenchProgress.NONE);
            assertThat(report.rows())
                    .hasSize(16)
                    .extracting(BenchRow::name)
                    .contains(
                            "cached/poll/randread-4k/qd1/rate relay vs off",
                            "cached/event/randread-4k/qd32/cpu device logs vs off");
            assertThat(report.rows())
                    .allSatisfy(row -> assertThat(row.ours().median()).isPositive());
            assertThat(report.tables()).hasSize(2);
        }
        assertThat(folder).isEmptyDirectory();
        assertThat(Fd.openCount()).isEqualTo(descriptors);
    }

    @Test
    void refusesOptionsThatMeanNothing() {
        assertThatThrownBy(() -> new RelayBench.Options(0, Duration.ofSeconds(1), folder, 1, folder))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new RelayBench.Options(1, Duration.ZERO, folder, 1, folder))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
