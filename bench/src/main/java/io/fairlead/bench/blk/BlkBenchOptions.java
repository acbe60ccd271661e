package io.fairlead.bench.blk;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What to measure, and with what.
 *
 * @param rounds how often each thing is measured with each server, from 1
 * @param runTime of one measurement, more than 0
 * @param serverWarmup load on each server before its first measurement, so that a JVM has compiled what it runs
 * @param folder where a folder for the data file and the sockets is made; a real disk, for O_DIRECT
 * @param fileBytes size of the data file, a multiple of 1 MiB
 * @param idleDisks how many disks the measurement of idle ones adds; 0 leaves it out
 * @param select measure only what has this in its name ({@code cached/poll/randread-4k/qd32}, {@code idle})
 * @param fairlead how to start the fairlead command
 * @param storageDaemon how to start qemu-storage-daemon
 * @param libblkio the file of the client library
 */
public record BlkBenchOptions(
        int rounds,
        Duration runTime,
        Duration serverWarmup,
        Path folder,
        long fileBytes,
        int idleDisks,
        Pattern select,
        List<String> fairlead,
        List<String> storageDaemon,
        Path libblkio) {
    private static final long MIB = 1 << 20;
    private static final int DISKS = 100;

    public BlkBenchOptions {
        fairlead = List.copyOf(fairlead);
        storageDaemon = List.copyOf(storageDaemon);
        if (rounds < 1) {
            throw new IllegalArgumentException("rounds: at least 1, not " + rounds);
        }
        if (runTime.isNegative() || runTime.isZero()) {
            throw new IllegalArgumentException("seconds: more than 0, not " + runTime.toMillis() / 1e3);
        }
        if (fileBytes < MIB || fileBytes % MIB != 0) {
            throw new IllegalArgumentException("file size: a multiple of 1 MiB, not " + fileBytes + " bytes");
        }
        if (idleDisks < 0) {
            throw new IllegalArgumentException("idle disks: at least 0, not " + idleDisks);
        }
    }

    /** All of it: about half an hour. */
    public static BlkBenchOptions full(Path folder, List<String> fairlead, List<String> storageDaemon, Path libblkio) {
        return new BlkBenchOptions(
                5,
                Duration.ofSeconds(2),
                Duration.ofSeconds(4),
                folder,
                512 * MIB,
                DISKS,
                Pattern.compile(""),
                fairlead,
                storageDaemon,
                libblkio);
    }

    /** Whether it works at all: seconds, and figures of no worth. */
    public static BlkBenchOptions quick(Path folder, List<String> fairlead, List<String> storageDaemon, Path libblkio) {
        return new BlkBenchOptions(
                1,
                Duration.ofMillis(200),
                Duration.ofMillis(200),
                folder,
                32 * MIB,
                4,
                Pattern.compile(""),
                fairlead,
                storageDaemon,
                libblkio);
    }

    public BlkBenchOptions withRounds(int newRounds) {
        return new BlkBenchOptions(
                newRounds,
                runTime,
                serverWarmup,
                folder,
                fileBytes,
                idleDisks,
                select,
                fairlead,
                storageDaemon,
                libblkio);
    }

    public BlkBenchOptions withRunTime(Duration newRunTime) {
        return new BlkBenchOptions(
                rounds,
                newRunTime,
                serverWarmup,
                folder,
                fileBytes,
                idleDisks,
                select,
                fairlead,
                storageDaemon,
                libblkio);
    }

    /** @param newSelect found anywhere in the name of what is measured */
    public BlkBenchOptions withSelect(Pattern newSelect) {
        return new BlkBenchOptions(
                rounds,
                runTime,
                serverWarmup,
                folder,
                fileBytes,
                idleDisks,
                newSelect,
                fairlead,
                storageDaemon,
                libblkio);
    }

    boolean isSelected(String name) {
        return select.matcher(name).find();
    }
}
