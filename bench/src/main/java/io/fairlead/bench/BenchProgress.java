package io.fairlead.bench;

import java.io.PrintStream;
import java.time.Duration;

/** Told what a benchmark does. Called by the thread that runs it. */
public interface BenchProgress {
    /** Tells nobody. */
    BenchProgress NONE = (run, runs, what, remaining) -> {};

    /**
     * A run begins.
     *
     * @param run its number, from 1
     * @param runs runs in all
     * @param what is measured in it
     * @param remaining how long all that is left takes, about
     */
    void run(int run, int runs, String what, Duration remaining);

    /** Something else begins that takes a while. */
    default void step(String what) {}

    /** One line for each run; on a terminal the line is written over and over. */
    static BenchProgress toTerminal(PrintStream out, boolean overwrite) {
        return new TextBenchProgress(out, overwrite);
    }
}
