package io.fairlead.bench.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.driver.ReadingDriver;
import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoopGroup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoggingCostTest {
    private static final int DISK_BYTES = 1 << 20;

    @TempDir
    private Path folder;

    @Test
    void measuresBothDepthsAndLeavesNothingBehind() throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        LoggingCost cost = new LoggingCost(2, Duration.ofMillis(20), BenchProgress.NONE);
        cost.measure(folder);
        assertThat(cost.rows()).hasSize(2).allSatisfy(row -> {
            assertThat(row.ours().min()).isPositive();
            assertThat(row.ratio()).isPositive();
        });
        assertThat(cost.table().text()).contains("qd1,").contains("qd32,").contains("ratio >= 0.9");
        assertThat(folder).isEmptyDirectory();
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    @Test
    void theMeasuredLoadIsLoggedWhileTheLogIsOn() throws Exception {
        Path image = Files.write(folder.resolve("d"), new byte[DISK_BYTES]);
        try (EventLoopGroup loops = new EventLoopGroup(1);
                BlkDevice device =
                        BlkDevice.create("logged", BlkSettings.of(image).withQueueCount(1), loops);
                ReadingDriver driver = new ReadingDriver(device, 4, DISK_BYTES);
                SharedDirtyLog log = SharedDirtyLog.create("test", ReadingDriver.BASE + ReadingDriver.MEMORY_BYTES)) {
            assertThat(driver.run(5_000_000)).isPositive();
            assertThat(marked(log)).isZero();
            device.dirtyLog(log);
            assertThat(driver.run(5_000_000)).isPositive();
            // Of each request its buffer, at least, and the buffers go round.
            assertThat(marked(log)).isGreaterThan(4);
            assertThat(log.marksOutside()).isZero();
            device.dirtyLog(null);
            log.clear();
            assertThat(driver.run(5_000_000)).isPositive();
            assertThat(marked(log)).isZero();
        }
    }

    private static long marked(SharedDirtyLog log) {
        long count = 0;
        for (long at = 0; at < ReadingDriver.MEMORY_BYTES; at += 4096) {
            if (log.isMarked(ReadingDriver.BASE + at)) {
                count++;
            }
        }
        return count;
    }
}
