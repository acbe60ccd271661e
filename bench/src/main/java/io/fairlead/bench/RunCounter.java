package io.fairlead.bench;

import java.time.Duration;

/** Counts a benchmark's runs and says how long the others take. One thread. */
public final class RunCounter {
    private final BenchProgress progress;
    private final int runs;
    private long firstNanos;
    private int run;

    /** @param runs in all */
    public RunCounter(BenchProgress progress, int runs) {
        this.progress = progress;
        this.runs = runs;
    }

    /** A run begins; answers its number, from 1. */
    public int begin(String what) {
        long now = System.nanoTime();
        if (run == 0) {
            firstNanos = now;
        }
        long nanosEach = run == 0 ? 0 : (now - firstNanos) / run;
        progress.run(run + 1, runs, what, Duration.ofNanos(nanosEach * (runs - run)));
        return ++run;
    }
}
