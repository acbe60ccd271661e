package io.fairlead.node.migration;

import java.util.Locale;

/** The phases of a migration, in their order. */
public enum Phase {
    /** Both sides are compared; nothing is changed. */
    CHECK,
    /** The destination's QEMU listens, its devices have accepted what is known so far. */
    PREPARE,
    /** Memory goes over while the machine runs at the source. */
    PRECOPY,
    /** The machine stands still; the final states of its devices go over. Ends with the grant. */
    STOP,
    /** Only the destination may run it: the rest of QEMU's stream is loaded and the machine runs there. */
    COMMIT,
    /** It goes on at the source. */
    ROLLBACK;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
