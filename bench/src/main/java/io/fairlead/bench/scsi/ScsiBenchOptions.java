package io.fairlead.bench.scsi;

import io.fairlead.testbed.QemuRelease;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * What to measure, and with what.
 *
 * @param rounds how often each workload runs on each host, from 1
 * @param runTime of one run in the guest, whole seconds
 * @param directRun of one run by a driver in this process
 * @param imageMib size of the unit that both hosts serve
 * @param release of QEMU
 * @param folder where the image is made
 * @param fairlead how to start the fairlead command
 */
public record ScsiBenchOptions(
        int rounds,
        Duration runTime,
        Duration directRun,
        int imageMib,
        QemuRelease release,
        Path folder,
        List<String> fairlead) {
    public ScsiBenchOptions {
        fairlead = List.copyOf(fairlead);
        if (rounds < 1) {
            throw new IllegalArgumentException("rounds: at least 1, not " + rounds);
        }
        if (runTime.toSeconds() < 1) {
            throw new IllegalArgumentException("seconds: at least 1, not " + runTime.toMillis() / 1e3);
        }
        if (imageMib < 1) {
            throw new IllegalArgumentException("image: at least 1 MiB, not " + imageMib);
        }
    }

    /** Seven rounds: about six minutes. */
    public static ScsiBenchOptions full(Path folder, QemuRelease release, List<String> fairlead) {
        return new ScsiBenchOptions(7, Duration.ofSeconds(2), Duration.ofSeconds(1), 256, release, folder, fairlead);
    }

    /** Whether it works at all: a minute, and figures of no worth. */
    public static ScsiBenchOptions quick(Path folder, QemuRelease release, List<String> fairlead) {
        return new ScsiBenchOptions(1, Duration.ofSeconds(1), Duration.ofMillis(100), 64, release, folder, fairlead);
    }

    public ScsiBenchOptions withRounds(int value) {
        return new ScsiBenchOptions(value, runTime, directRun, imageMib, release, folder, fairlead);
    }

    public ScsiBenchOptions withRunTime(Duration value) {
        return new ScsiBenchOptions(rounds, value, directRun, imageMib, release, folder, fairlead);
    }
}
