package io.fairlead.bench.migrate;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.Samples;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * What moves of each kind took.
 *
 * @param <K> who moves
 * @param <F> what is known of one move
 */
final class Moves<K, F> {
    private final Function<K, String> label;
    private final Map<K, List<F>> moves = new HashMap<>();

    /** @param label what a kind's rows begin with */
    Moves(Function<K, String> label) {
        this.label = label;
    }

    void add(K kind, F figures) {
        moves.computeIfAbsent(kind, key -> new ArrayList<>()).add(figures);
    }

    boolean isEmpty() {
        return moves.isEmpty();
    }

    boolean has(K kind) {
        return moves.containsKey(kind);
    }

    /** A row of one figure, beside a peer's where there is one. */
    BenchRow row(K ours, @Nullable K peer, String name, String unit, ToDoubleFunction<F> value, @Nullable Bar bar) {
        return new BenchRow(
                label.apply(ours) + "/" + name,
                unit,
                samples(ours, value),
                peer == null ? null : samples(peer, value),
                bar);
    }

    private Samples samples(K kind, ToDoubleFunction<F> value) {
        return Samples.of(
                moves.getOrDefault(kind, List.of()).stream().mapToDouble(value).toArray());
    }
}
