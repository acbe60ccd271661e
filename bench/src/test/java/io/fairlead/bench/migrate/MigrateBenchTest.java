package io.fairlead.bench.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the benchmark once, on real guests and the real server. */
@Tag("long")
class MigrateBenchTest {
    @TempDir
    private Path folder;

    @Test
    void measuresBothKindsOfDiskAndLeavesNothingBehind() throws Exception {
        List<String> told = new ArrayList<>();
        BenchProgress progress = (run, runs, what, remaining) -> told.add(run + "/" + runs + " " + what);
        List<String> fairlead = List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-Xmx128m",
                "-cp",
                System.getProperty("java.class.path"),
                "io.fairlead.bench.blk.TestServe");
        try (Testbed testbed = Testbed.open(Progress.NONE)) {
            BenchReport report = MigrateBench.run(
                    MigrateBenchOptions.quick(folder, QemuRelease.V11, fairlead)
                            .withoutNodes()
                            .only(EnumSet.of(MigrateBenchOptions.Part.LOGGING, MigrateBenchOptions.Part.DISK)),
                    testbed,
                    progress);
            assertThat(report.rows()).hasSize(8).allSatisfy(row -> {
                assertThat(row.ours().median()).isPositive();
                assertThat(row.ratio()).isNotNull();
            });
            assertThat(report.machine()).containsKeys("QEMU", "accelerator");
        }
        assertThat(told).hasSize(4);
        assertThat(folder).isEmptyDirectory();
        assertThat(ProcessHandle.current().children()).noneMatch(ProcessHandle::isAlive);
    }
}
