package io.fairlead.node.journal;

/** How far a migration has come, as a node writes it down before it acts on it. */
public enum Step {
    /** Something may have been changed for it. Nobody but the source may run the machine. */
    BEGUN,
    /** Destination: the final states are here, valid and applied. Still only the source may run it. */
    READY,
    /** From here on only the destination may run the machine, until it says that it did not and never will. */
    GRANTED,
    /** Destination: the machine is told to run next; it may have run. */
    STARTING,
    /** The machine ran at the destination. */
    RUNNING,
    /** The machine never ran at the destination and never will. */
    ABORTED,
    /** Destination: the machine may have run here, and its QEMU is gone. Nobody may run it any more. */
    LOST;

    /** Whether nothing follows. */
    public boolean isFinal() {
        return this == RUNNING || this == ABORTED || this == LOST;
    }
}
