package io.fairlead.bench.scsi;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.driver.BlkReads;
import io.fairlead.bench.driver.ReadingDriver;
import io.fairlead.bench.driver.Reads;
import io.fairlead.bench.driver.ScsiReads;
import io.fairlead.devices.blk.BlkType;
import io.fairlead.devices.scsi.ScsiType;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/**
 * What a read costs in the device itself: our SCSI host beside our disk, of the same file, by a driver in this process
 * that polls, without a guest and without another process.
 */
final class DeviceCost {
    private static final int[] DEPTHS = {1, 32};
    private static final String QUEUE_SIZE = "128";

    /** Runs' lengths before the first that counts: nothing shall be compiled in one that does. */
    private static final int WARM_UP_RUNS = 4;

    private final int rounds;
    private final Duration runTime;
    private final BenchProgress progress;
    private final ScsiResults results;

    DeviceCost(int rounds, Duration runTime, BenchProgress progress, ScsiResults results) {
        this.rounds = rounds;
        this.runTime = runTime;
        this.progress = progress;
        this.results = results;
    }

    /** @param image with content, so that no block of it is a hole */
    void measure(Path image) throws IOException {
        Map<String, String> unit = Map.of("lun0", image.toString(), "lun0.locked", "off", "queue-size", QUEUE_SIZE);
        Map<String, String> disk = Map.of("path", image.toString(), "locked", "off", "queue-size", QUEUE_SIZE);
        try (EventLoopGroup loops = new EventLoopGroup(1)) {
            for (int depth : DEPTHS) {
                progress.step("Reading by a driver in this process, %d in flight".formatted(depth));
                try (VdpaDevice scsi = new ScsiType().create("scsi", unit, loops);
                        VdpaDevice blk = new BlkType().create("blk", disk, loops)) {
                    measure(image, depth, scsi, blk);
                }
            }
        }
    }

    private void measure(Path image, int depth, VdpaDevice scsi, VdpaDevice blk) throws IOException {
        for (int round = -1; round < rounds; round++) {
            for (int turn = 0; turn < 2; turn++) {
                boolean isScsi = (round + turn & 1) == 0;
                double perSecond = isScsi
                        ? run(scsi, new ScsiReads(), depth, Files.size(image), round < 0)
                        : run(blk, new BlkReads(), depth, Files.size(image), round < 0);
                if (round >= 0) {
                    results.addDirect(depth, isScsi, perSecond);
                }
            }
        }
    }

    /** Each run begins anew with a device that was reset: only one of the two polls at a time. */
    private double run(VdpaDevice device, Reads reads, int depth, long imageBytes, boolean isWarmUp)
            throws IOException {
        try (ReadingDriver driver = new ReadingDriver(device, reads, depth, imageBytes)) {
            double _ = driver.run(runTime.toNanos() / 10);
            long failed = driver.failed();
            double perSecond = driver.run(runTime.toNanos() * (isWarmUp ? WARM_UP_RUNS : 1));
            if (driver.failed() > failed) {
                throw new IOException("%d reads of %s failed".formatted(driver.failed() - failed, device.name()));
            }
            return perSecond;
        }
    }
}
