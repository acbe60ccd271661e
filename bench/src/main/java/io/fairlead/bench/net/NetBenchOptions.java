package io.fairlead.bench.net;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What to measure, and with what.
 *
 * @param rounds how often each thing is measured with each server, from 1
 * @param runTime of one measurement, more than 0
 * @param warmup load on a server before each measurement, as each starts anew: a JVM compiles what it runs
 * @param guestRunTime of one measurement with a guest, whole seconds
 * @param folder where a folder for the sockets is made
 * @param select measure only what has this in its name ({@code forward/split/64}, {@code guest/})
 * @param fairlead how to start the fairlead command
 * @param testpmd how to start DPDK's testpmd
 */
public record NetBenchOptions(
        int rounds,
        Duration runTime,
        Duration warmup,
        Duration guestRunTime,
        Path folder,
        Pattern select,
        List<String> fairlead,
        List<String> testpmd) {

    public NetBenchOptions {
        fairlead = List.copyOf(fairlead);
        testpmd = List.copyOf(testpmd);
        if (rounds < 1) {
            throw new IllegalArgumentException("rounds: at least 1, not " + rounds);
        }
        if (runTime.isNegative() || runTime.isZero()) {
            throw new IllegalArgumentException("seconds: more than 0, not " + runTime.toMillis() / 1e3);
        }
        if (guestRunTime.toSeconds() < 1) {
            throw new IllegalArgumentException(
                    "seconds with a guest: at least 1, not " + guestRunTime.toMillis() / 1e3);
        }
    }

    /** All of it: about nine minutes. */
    public static NetBenchOptions full(Path folder, List<String> fairlead, List<String> testpmd) {
        return new NetBenchOptions(
                3,
                Duration.ofSeconds(3),
                Duration.ofSeconds(8),
                Duration.ofSeconds(3),
                folder,
                Pattern.compile(""),
                fairlead,
                testpmd);
    }

    /** Whether it works at all: a minute, and figures of no worth. */
    public static NetBenchOptions quick(Path folder, List<String> fairlead, List<String> testpmd) {
        return new NetBenchOptions(
                1,
                Duration.ofMillis(500),
                Duration.ofMillis(500),
                Duration.ofSeconds(1),
                folder,
                Pattern.compile(""),
                fairlead,
                testpmd);
    }

    public NetBenchOptions withRounds(int newRounds) {
        return new NetBenchOptions(newRounds, runTime, warmup, guestRunTime, folder, select, fairlead, testpmd);
    }

    /** @param newRunTime with a guest rounded up to whole seconds */
    public NetBenchOptions withRunTime(Duration newRunTime) {
        Duration whole = Duration.ofSeconds(newRunTime.plusNanos(999_999_999).toSeconds());
        return new NetBenchOptions(rounds, newRunTime, warmup, whole, folder, select, fairlead, testpmd);
    }

    /** @param newSelect found anywhere in the name of what is measured */
    public NetBenchOptions withSelect(Pattern newSelect) {
        return new NetBenchOptions(rounds, runTime, warmup, guestRunTime, folder, newSelect, fairlead, testpmd);
    }

    boolean isSelected(String name) {
        return select.matcher(name).find();
    }
}
