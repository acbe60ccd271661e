package io.fairlead.vdpa;

/** A device that goes away under its driver, as when its hardware is taken out. */
public interface Departure {
    /** Why, for log and operator. */
    String reason();

    /** Whether it still serves its queues, until {@link #letGo}; else it has answered what it will answer. */
    boolean serves();

    /** The device may go: it is not used any more, but for a reset, which looks for it again. Any thread; once counts. */
    void letGo();
}
