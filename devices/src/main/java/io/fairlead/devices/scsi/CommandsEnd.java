package io.fairlead.devices.scsi;

import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Waits for the end of commands that were sent before it: what the storage was given cannot be taken back, so that what
 * asks for an abort learns of their end. Any thread.
 */
final class CommandsEnd {
    private final @Nullable LogicalUnit unit;
    private final OptionalLong tag;
    private final boolean waits;
    private final AtomicInteger holders = new AtomicInteger(1);
    private final CompletableFuture<Boolean> done = new CompletableFuture<>();
    private volatile boolean found;

    /**
     * @param unit whose commands are meant; null for all
     * @param tag which of them is; empty for all
     * @param waits false to learn only whether there are some
     */
    CommandsEnd(@Nullable LogicalUnit unit, OptionalLong tag, boolean waits) {
        this.unit = unit;
        this.tag = tag;
        this.waits = waits;
    }

    boolean isMeant(LogicalUnit of, long itsTag) {
        return (unit == null || unit.equals(of)) && (tag.isEmpty() || tag.getAsLong() == itsTag);
    }

    boolean waits() {
        return waits;
    }

    void found() {
        found = true;
    }

    /** One more to wait for. */
    void hold() {
        holders.incrementAndGet();
    }

    /** One of them is done; the maker's own hold counts as one. */
    void letGo() {
        if (holders.decrementAndGet() == 0) {
            done.complete(found);
        }
    }

    /** Completed with whether there were some, when they have ended. */
    CompletableFuture<Boolean> done() {
        return done;
    }
}
