package io.fairlead.bench.migrate;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Figures;
import io.fairlead.bench.Samples;
import io.fairlead.bench.driver.ReadingDriver;
import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoopGroup;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;

/**
 * What it costs a software disk to log the pages that it writes: reads by the device contract, within this process, with
 * the log on and off in turn while the device runs. The log is read and cleared all the while, as a migration does.
 */
final class LoggingCost {
    private static final double LEAST_RATIO = 0.9;
    private static final int[] DEPTHS = {1, 32};
    private static final Duration CLEARED_EVERY = Duration.ofMillis(50);
    private static final int MIB = 1 << 20;
    private static final int FILE_MIB = 64;
    private static final Duration WARMUP = Duration.ofSeconds(2);

    private final int rounds;
    private final Duration runTime;
    private final BenchProgress progress;
    private final List<BenchRow> rows = new ArrayList<>();

    /**
     * @param rounds with the log on, and as many with it off
     * @param runTime of each
     */
    LoggingCost(int rounds, Duration runTime, BenchProgress progress) {
        this.rounds = rounds;
        this.runTime = runTime;
        this.progress = progress;
    }

    /** Measures; {@link #rows} has it then. */
    void measure(Path folder) throws IOException, InterruptedException {
        Path image = folder.resolve("logging.img");
        fill(image);
        for (int depth : DEPTHS) {
            progress.step("Reading with and without a log, %d in flight".formatted(depth));
            measure(image, depth);
        }
        Files.delete(image);
    }

    private static void fill(Path image) throws IOException {
        SplittableRandom random = new SplittableRandom(1);
        byte[] chunk = new byte[MIB];
        try (OutputStream out = Files.newOutputStream(image)) {
            for (int i = 0; i < FILE_MIB; i++) {
                random.nextBytes(chunk);
                out.write(chunk);
            }
        }
    }

    private void measure(Path image, int depth) throws IOException, InterruptedException {
        try (EventLoopGroup loops = new EventLoopGroup(1);
                BlkDevice device =
                        BlkDevice.create("logged", BlkSettings.of(image).withQueueCount(1), loops);
                ReadingDriver driver = new ReadingDriver(device, depth, (long) FILE_MIB * MIB);
                SharedDirtyLog log = SharedDirtyLog.create("bench", ReadingDriver.BASE + ReadingDriver.MEMORY_BYTES)) {
            double _ = driver.run(WARMUP.toNanos());
            double[] on = new double[rounds];
            double[] off = new double[rounds];
            for (int round = 0; round < rounds; round++) {
                if (round % 2 == 0) {
                    off[round] = driver.run(runTime.toNanos());
                    on[round] = logged(device, driver, log);
                } else {
                    on[round] = logged(device, driver, log);
                    off[round] = driver.run(runTime.toNanos());
                }
            }
            if (driver.failed() > 0) {
                throw new IOException("%d reads failed".formatted(driver.failed()));
            }
            rows.add(new BenchRow(
                    "logging/cached randread-4k/qd%d, log on vs off".formatted(depth),
                    "I/O/s",
                    Samples.of(on),
                    Samples.of(off),
                    Bar.ratioAtLeast(LEAST_RATIO)));
        }
    }

    private double logged(BlkDevice device, ReadingDriver driver, SharedDirtyLog log)
            throws IOException, InterruptedException {
        device.dirtyLog(log);
        Thread reader = Thread.ofPlatform().daemon().name("log-reader").start(() -> {
            try {
                while (true) {
                    TimeUnit.NANOSECONDS.sleep(CLEARED_EVERY.toNanos());
                    log.clear();
                }
            } catch (InterruptedException e) {
                // The end of the run.
                Thread.currentThread().interrupt();
            }
        });
        try {
            return driver.run(runTime.toNanos());
        } finally {
            reader.interrupt();
            reader.join();
            device.dirtyLog(null);
        }
    }

    /** One row a depth: the log on, beside off. */
    List<BenchRow> rows() {
        return List.copyOf(rows);
    }

    BenchTable table() {
        List<List<String>> lines = new ArrayList<>();
        for (BenchRow row : rows) {
            Samples off = row.peer();
            Bar bar = row.bar();
            lines.add(List.of(
                    row.name(),
                    Figures.spread(row.ours()),
                    off == null ? "" : Figures.spread(off),
                    Figures.ratio(row.ratio()),
                    bar == null ? "" : bar.text() + (Boolean.TRUE.equals(row.held()) ? ": held" : ": NOT held")));
        }
        return new BenchTable(
                "I/O a second while written pages are logged", List.of("", "log on", "log off", "ratio", "bar"), lines);
    }
}
