package io.fairlead.bench.vduse;

import io.fairlead.testbed.L1Kernel;
import java.time.Duration;
import java.util.List;

/**
 * What to measure, and with what.
 *
 * @param rounds how often each workload runs on each disk, from 1
 * @param runTime of one run, whole seconds
 * @param warmUp of our disk's runs before those that count, whole seconds
 * @param imageMib size of each disk
 * @param kernel of the L1 host
 * @param fairlead how to start the fairlead command
 */
public record VduseBenchOptions(
        int rounds, Duration runTime, Duration warmUp, int imageMib, L1Kernel kernel, List<String> fairlead) {
    public VduseBenchOptions {
        fairlead = List.copyOf(fairlead);
        if (rounds < 1) {
            throw new IllegalArgumentException("rounds: at least 1, not " + rounds);
        }
        if (runTime.toSeconds() < 1 || warmUp.toSeconds() < 1) {
            throw new IllegalArgumentException("seconds: at least 1, not " + runTime.toMillis() / 1e3);
        }
        if (imageMib < 1) {
            throw new IllegalArgumentException("image: at least 1 MiB, not " + imageMib);
        }
    }

    /** Five rounds: about five minutes. */
    public static VduseBenchOptions full(L1Kernel kernel, List<String> fairlead) {
        return new VduseBenchOptions(5, Duration.ofSeconds(3), Duration.ofSeconds(20), 128, kernel, fairlead);
    }

    /** Whether it works at all: a minute, and figures of no worth. */
    public static VduseBenchOptions quick(L1Kernel kernel, List<String> fairlead) {
        return new VduseBenchOptions(1, Duration.ofSeconds(1), Duration.ofSeconds(1), 32, kernel, fairlead);
    }

    public VduseBenchOptions withRounds(int value) {
        return new VduseBenchOptions(value, runTime, warmUp, imageMib, kernel, fairlead);
    }

    public VduseBenchOptions withRunTime(Duration value) {
        return new VduseBenchOptions(rounds, value, warmUp, imageMib, kernel, fairlead);
    }
}
