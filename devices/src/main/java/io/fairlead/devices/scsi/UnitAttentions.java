package io.fairlead.devices.scsi;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What initiators have not been told yet of a logical unit (SAM-5, 5.14). Any thread; {@link #isPending} without a lock.
 */
final class UnitAttentions {
    /** The most initiators of a target. */
    static final int MAX_NEXUSES = 8;

    /** The most that one initiator has to be told; what comes on top is dropped. */
    static final int MAX_PENDING = 16;

    private final List<List<Sense>> pending = new ArrayList<>();

    /** A bit for each initiator that has some; changed under the lock. */
    private volatile int nexuses;

    UnitAttentions() {
        for (int i = 0; i < MAX_NEXUSES; i++) {
            pending.add(new ArrayList<>());
        }
    }

    boolean isPending(int nexus) {
        return (nexuses & 1 << nexus) != 0;
    }

    synchronized void add(int nexus, Sense attention) {
        List<Sense> of = pending.get(nexus);
        if (!of.contains(attention) && of.size() < MAX_PENDING) {
            of.add(attention);
            mark();
        }
    }

    synchronized void addToAll(Sense attention) {
        for (int nexus = 0; nexus < MAX_NEXUSES; nexus++) {
            add(nexus, attention);
        }
    }

    /** Tells everybody of a beginning that makes all before it meaningless. */
    synchronized void beginAnew(Sense attention) {
        pending.forEach(List::clear);
        addToAll(attention);
    }

    /** The oldest, told now; null where there is none. */
    synchronized @Nullable Sense take(int nexus) {
        List<Sense> of = pending.get(nexus);
        Sense oldest = of.isEmpty() ? null : of.removeFirst();
        mark();
        return oldest;
    }

    /** An initiator learned of it in another way. */
    synchronized void clear(int nexus, Sense attention) {
        pending.get(nexus).remove(attention);
        mark();
    }

    private void mark() {
        int bits = 0;
        for (int nexus = 0; nexus < MAX_NEXUSES; nexus++) {
            bits |= pending.get(nexus).isEmpty() ? 0 : 1 << nexus;
        }
        nexuses = bits;
    }

    synchronized List<Sense> of(int nexus) {
        return List.copyOf(pending.get(nexus));
    }

    synchronized void set(int nexus, List<Sense> attentions) {
        pending.get(nexus).clear();
        pending.get(nexus).addAll(attentions);
        mark();
    }
}
