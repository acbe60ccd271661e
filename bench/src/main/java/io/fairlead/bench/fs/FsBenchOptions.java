package io.fairlead.bench.fs;

import java.nio.file.Path;
import java.util.List;

/**
 * What to measure, and with what.
 *
 * @param rounds how often each thing is measured with each server, from 1; one more round does not count
 * @param seconds of a measurement of reading or writing, from 1
 * @param files that are made, listed and removed in one run, from 1
 * @param dataMib size of the file that is read and written
 * @param folder where the exported folders are made
 * @param fairlead how to start the fairlead command
 * @param virtiofsd how to start virtiofsd
 */
public record FsBenchOptions(
        int rounds, int seconds, int files, int dataMib, Path folder, List<String> fairlead, List<String> virtiofsd) {
    private static final int MAX_FILES = 100_000;

    public FsBenchOptions {
        fairlead = List.copyOf(fairlead);
        virtiofsd = List.copyOf(virtiofsd);
        if (rounds < 1) {
            throw new IllegalArgumentException("rounds: at least 1, not " + rounds);
        }
        if (seconds < 1) {
            throw new IllegalArgumentException("seconds: at least 1, not " + seconds);
        }
        if (files < 1 || files > MAX_FILES) {
            throw new IllegalArgumentException("files: 1 to " + MAX_FILES + ", not " + files);
        }
        if (dataMib < 1) {
            throw new IllegalArgumentException("data: at least 1 MiB, not " + dataMib);
        }
    }

    /** Five rounds: seven minutes or so. */
    public static FsBenchOptions full(Path folder, List<String> fairlead, List<String> virtiofsd) {
        return new FsBenchOptions(5, 2, 3000, 64, folder, fairlead, virtiofsd);
    }

    /** Whether it works at all: a minute, and figures of no worth. */
    public static FsBenchOptions quick(Path folder, List<String> fairlead, List<String> virtiofsd) {
        return new FsBenchOptions(1, 1, 100, 4, folder, fairlead, virtiofsd);
    }

    public FsBenchOptions withRounds(int value) {
        return new FsBenchOptions(value, seconds, files, dataMib, folder, fairlead, virtiofsd);
    }
}
