package io.fairlead.bench.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import io.fairlead.bench.BenchRow;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the benchmark for moments, on the real servers and the real client. */
class BlkBenchTest {
    @TempDir
    private Path folder;

    @Test
    void measuresOursBesideThePeerAndLeavesNothingBehind() throws Exception {
        List<String> told = new ArrayList<>();
        BenchProgress progress = (run, runs, what, remaining) -> told.add(run + "/" + runs + " " + what);
        BlkBenchOptions options = options(fairlead()).withSelect(Pattern.compile("poll/randread-4k/qd32|idle"));

        BenchReport report = BlkBench.run(options, progress);

        assertThat(report.rows())
                .extracting(BenchRow::name)
                .contains(
                        "cached/poll/randread-4k/qd32/rate vs qsd-io_uring",
                        "cold/poll/randread-4k/qd32/cpu vs qsd-threads",
                        "direct/poll/randread-4k/qd32/rate vs qsd-threads",
                        "memory/one disk under load, resident",
                        "idle/resident memory of one more disk of 4");
        assertThat(report.rows().stream().filter(row -> row.unit().equals("I/O/s")))
                .hasSize(6)
                .allSatisfy(row -> assertThat(row.ours().median()).isPositive());
        assertThat(report.rows().stream()
                        .filter(row -> row.name().startsWith("memory"))
                        .findFirst())
                .hasValueSatisfying(row -> assertThat(row.ours().median()).isBetween(10.0, 500.0));
        assertThat(told).hasSize(9).contains("1/9 cached/poll/randread-4k/qd32, fairlead");
        assertThat(report.machine()).containsKeys("processor", "libblkio", "qemu-storage-daemon");
        assertThat(folder).isEmptyDirectory();
        assertThat(ProcessHandle.current().children()).noneMatch(ProcessHandle::isAlive);
    }

    @Test
    void writesByEventsToo() throws Exception {
        BlkBenchOptions options =
                options(fairlead()).withSelect(Pattern.compile("cached/event/(randwrite-4k/qd32|read-128k/qd1$)"));
        BenchReport report = BlkBench.run(options, BenchProgress.NONE);
        assertThat(report.rows().stream().filter(row -> row.unit().equals("us/I/O")))
                .hasSize(4);
    }

    @Test
    void saysWhatAServerWroteThatDoesNotStart() throws Exception {
        List<String> broken = List.of("sh", "-c", "echo no such option >&2; exit 3");
        assertThatThrownBy(() -> BlkBench.run(options(broken), BenchProgress.NONE))
                .isInstanceOf(IOException.class)
                .hasMessage("fairlead serve ended with exit code 3 before it was ready: no such option");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aSelectionOfNothingIsAMistake() throws Exception {
        BlkBenchOptions options = options(fairlead()).withSelect(Pattern.compile("randtrim"));
        assertThatThrownBy(() -> BlkBench.run(options, BenchProgress.NONE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("randtrim");
    }

    @Test
    void refusesOptionsThatMeanNothing() {
        BlkBenchOptions options = BlkBenchOptions.full(folder, List.of("a"), List.of("b"), Path.of("c"));
        assertThatThrownBy(() -> options.withRounds(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> options.withRunTime(Duration.ZERO)).isInstanceOf(IllegalArgumentException.class);
        assertThat(options.withRounds(7).rounds()).isEqualTo(7);
        assertThat(options.withRunTime(Duration.ofSeconds(9)).runTime()).isEqualTo(Duration.ofSeconds(9));
    }

    private BlkBenchOptions options(List<String> fairlead) throws IOException {
        try (Testbed testbed = Testbed.open(Progress.NONE)) {
            Files.createDirectories(folder);
            return BlkBenchOptions.quick(
                    folder,
                    fairlead,
                    testbed.storageDaemon(),
                    testbed.libblkio().library());
        }
    }

    private static List<String> fairlead() {
        return List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-Xmx128m",
                "-cp",
                System.getProperty("java.class.path"),
                TestServe.class.getName());
    }
}
