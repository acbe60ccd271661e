package io.fairlead.bench.scsi;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the benchmark once, on a real guest and the real server. */
@Tag("long")
class ScsiBenchTest {
    @TempDir
    private Path folder;

    @Test
    void measuresBothHostsAndLeavesNothingBehind() throws Exception {
        List<String> fairlead = List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-Xmx128m",
                "-cp",
                System.getProperty("java.class.path"),
                "io.fairlead.bench.blk.TestServe");
        try (Testbed testbed = Testbed.open(Progress.NONE)) {
            BenchReport report = ScsiBench.run(
                    ScsiBenchOptions.quick(folder, QemuRelease.V11, fairlead), testbed, BenchProgress.NONE);
            assertThat(report.rows()).hasSize(2 * ScsiWorkload.ALL.size() + 2);
            assertThat(report.rows())
                    .filteredOn(row -> row.unit().equals("I/O/s"))
                    .allSatisfy(row -> {
                        assertThat(row.ours().median()).isPositive();
                        assertThat(row.ratio()).isPositive();
                    });
        }
        assertThat(folder).isEmptyDirectory();
        assertThat(ProcessHandle.current().children()).noneMatch(ProcessHandle::isAlive);
    }
}
