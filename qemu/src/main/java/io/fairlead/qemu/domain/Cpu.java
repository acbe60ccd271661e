package io.fairlead.qemu.domain;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A machine's processors.
 *
 * @param count how many there can be
 * @param current how many there are at the start; at most {@code count}
 * @param mode how the model is chosen
 * @param model QEMU's, with {@link Mode#CUSTOM}; null for QEMU's usual one
 * @param topology null for one core a socket
 * @param features that the model gets or loses
 */
public record Cpu(
        int count,
        int current,
        Mode mode,
        @Nullable String model,
        @Nullable Topology topology,
        List<Feature> features) {
    /** How the model is chosen. */
    public enum Mode implements Word {
        /** Nothing said: QEMU's usual model. */
        UNSAID,
        CUSTOM,
        HOST_MODEL,
        HOST_PASSTHROUGH,
        MAXIMUM
    }

    /** How processors are arranged; the product is their count. */
    public record Topology(int sockets, int dies, int cores, int threads) {}

    /** What becomes of a feature. */
    public enum Policy implements Word {
        FORCE,
        REQUIRE,
        OPTIONAL,
        DISABLE,
        FORBID
    }

    /** A feature by its name in QEMU, such as {@code avx2}. */
    public record Feature(String name, Policy policy) {}

    public Cpu {
        features = List.copyOf(features);
    }

    /** The same, QEMU's usual model. */
    public static Cpu of(int count) {
        return new Cpu(count, count, Mode.UNSAID, null, null, List.of());
    }
}
