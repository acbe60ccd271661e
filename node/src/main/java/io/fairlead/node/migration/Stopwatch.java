package io.fairlead.node.migration;

import java.util.EnumMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** The durations of phases. One thread. */
final class Stopwatch {
    private final LongSupplier nanoTime;
    private final long startNanos;
    private final Map<Phase, Long> nanos = new EnumMap<>(Phase.class);
    private @Nullable Phase current;
    private long sinceNanos;

    Stopwatch(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        startNanos = nanoTime.getAsLong();
        sinceNanos = startNanos;
    }

    void enter(Phase phase) {
        end();
        current = phase;
    }

    void end() {
        long now = nanoTime.getAsLong();
        if (current != null) {
            nanos.merge(current, now - sinceNanos, Long::sum);
        }
        current = null;
        sinceNanos = now;
    }

    long totalMillis() {
        return (nanoTime.getAsLong() - startNanos) / 1_000_000;
    }

    Map<Phase, Long> millis() {
        Map<Phase, Long> millis = new EnumMap<>(Phase.class);
        nanos.forEach((phase, duration) -> millis.put(phase, duration / 1_000_000));
        return millis;
    }
}
