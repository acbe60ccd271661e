package io.fairlead.cli;

import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How long a benchmark takes. */
final class BenchRunMixin {
    @Option(names = "--rounds", paramLabel = "N", description = "Runs of each row with each contender.")
    private @Nullable Integer rounds;

    @Option(names = "--quick", description = "A smoke test of a minute or less; its figures are of no worth.")
    private boolean quick;

    boolean isQuick() {
        return quick;
    }

    /** A benchmark's options with what the user said. */
    <T> T apply(T options, BiFunction<T, Integer, T> withRounds) {
        return rounds == null ? options : withRounds.apply(options, rounds);
    }
}
