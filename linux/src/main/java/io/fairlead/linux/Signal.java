package io.fairlead.linux;

/** Wakes whoever waits for it. A signal that is not yet seen may swallow the next. */
@FunctionalInterface
public interface Signal extends AutoCloseable {
    /** Neither blocks nor allocates; what cannot be told to anybody is ignored. */
    void signal();

    @Override
    default void close() {}
}
