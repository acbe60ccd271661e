package io.fairlead.bench.migrate;

import io.fairlead.testbed.QemuRelease;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * What to measure, and with what.
 *
 * @param rounds how often a guest moves with each kind of disk, from 1
 * @param release of QEMU
 * @param memoryMib of the guest
 * @param settling load before each move
 * @param loggingRun length of one measurement of what logging costs
 * @param folder where the disks' images are made; a real disk, for O_DIRECT
 * @param fairlead how to start the fairlead command
 * @param withNodes whether guests are moved by {@code fairlead node} and {@code fairlead migrate}, too
 */
public record MigrateBenchOptions(
        int rounds,
        QemuRelease release,
        int memoryMib,
        Duration settling,
        Duration loggingRun,
        Path folder,
        List<String> fairlead,
        boolean withNodes) {
    private static final int MIN_MEMORY_MIB = 256;

    public MigrateBenchOptions {
        fairlead = List.copyOf(fairlead);
        if (rounds < 1) {
            throw new IllegalArgumentException("rounds: at least 1, not " + rounds);
        }
        if (memoryMib < MIN_MEMORY_MIB) {
            throw new IllegalArgumentException("memory: at least " + MIN_MEMORY_MIB + " MiB, not " + memoryMib);
        }
        if (settling.isNegative()) {
            throw new IllegalArgumentException("settling: not negative: " + settling);
        }
    }

    /** Nine rounds: about a quarter of an hour. */
    public static MigrateBenchOptions full(Path folder, QemuRelease release, List<String> fairlead) {
        return new MigrateBenchOptions(
                9, release, 512, Duration.ofSeconds(3), Duration.ofSeconds(1), folder, fairlead, true);
    }

    /** Whether it works at all: a minute, and figures of no worth. */
    public static MigrateBenchOptions quick(Path folder, QemuRelease release, List<String> fairlead) {
        return new MigrateBenchOptions(
                1, release, 256, Duration.ofMillis(500), Duration.ofMillis(100), folder, fairlead, true);
    }

    public MigrateBenchOptions withRounds(int value) {
        return new MigrateBenchOptions(value, release, memoryMib, settling, loggingRun, folder, fairlead, withNodes);
    }

    /** Without what needs more of the fairlead command than {@code serve}. */
    MigrateBenchOptions withoutNodes() {
        return new MigrateBenchOptions(rounds, release, memoryMib, settling, loggingRun, folder, fairlead, false);
    }
}
