package io.fairlead.bench;

import org.jspecify.annotations.Nullable;

/**
 * One measurement of a report: ours beside one peer's.
 *
 * @param name of what was measured, and against whom, unique in the report
 * @param unit of ours and the peer's, such as {@code I/O/s}
 * @param ours what Fairlead did
 * @param peer what the peer did in the same run, null where there is none to compare with
 * @param bar what it is held against, null for information
 */
public record BenchRow(
        String name,
        String unit,
        Samples ours,
        @Nullable Samples peer,
        @Nullable Bar bar) {
    /** The median of ours by the peer's; null without a peer or where the peer's is zero. */
    public @Nullable Double ratio() {
        return peer == null || peer.median() == 0 ? null : ours.median() / peer.median();
    }

    /** Whether the bar is held; null without a bar. */
    public @Nullable Boolean held() {
        return bar == null ? null : bar.isHeld(ours.median(), ratio());
    }
}
