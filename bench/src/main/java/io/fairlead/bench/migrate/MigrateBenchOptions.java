package io.fairlead.bench.migrate;

import io.fairlead.testbed.QemuRelease;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

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
 * @param parts what is measured, at least one
 */
public record MigrateBenchOptions(
        int rounds,
        QemuRelease release,
        int memoryMib,
        Duration settling,
        Duration loggingRun,
        Path folder,
        List<String> fairlead,
        boolean withNodes,
        Set<Part> parts) {
    /** What can be measured by itself. */
    public enum Part {
        /** What logging of written pages costs. */
        LOGGING,
        /** Moves of a guest with one disk. */
        DISK,
        /** Moves of a guest with a disk, a NIC, a SCSI unit and a shared folder. */
        DEVICES;

        /** As it is written on the command line. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private static final int MIN_MEMORY_MIB = 256;

    public MigrateBenchOptions {
        fairlead = List.copyOf(fairlead);
        parts = Set.copyOf(parts);
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("nothing to measure");
        }
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

    /** Nine rounds: about half an hour. */
    public static MigrateBenchOptions full(Path folder, QemuRelease release, List<String> fairlead) {
        return new MigrateBenchOptions(
                9,
                release,
                512,
                Duration.ofSeconds(3),
                Duration.ofSeconds(1),
                folder,
                fairlead,
                true,
                EnumSet.allOf(Part.class));
    }

    /** Whether it works at all: two minutes, and figures of no worth. */
    public static MigrateBenchOptions quick(Path folder, QemuRelease release, List<String> fairlead) {
        return new MigrateBenchOptions(
                1,
                release,
                256,
                Duration.ofMillis(500),
                Duration.ofMillis(100),
                folder,
                fairlead,
                true,
                EnumSet.allOf(Part.class));
    }

    public MigrateBenchOptions withRounds(int value) {
        return new MigrateBenchOptions(
                value, release, memoryMib, settling, loggingRun, folder, fairlead, withNodes, parts);
    }

    /** Nothing but these. */
    public MigrateBenchOptions only(Set<Part> value) {
        return new MigrateBenchOptions(
                rounds, release, memoryMib, settling, loggingRun, folder, fairlead, withNodes, value);
    }

    /** Without what needs more of the fairlead command than {@code serve}. */
    MigrateBenchOptions withoutNodes() {
        return new MigrateBenchOptions(
                rounds, release, memoryMib, settling, loggingRun, folder, fairlead, false, parts);
    }
}
