package io.fairlead.daemon.http;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Events for one reader, asked for one after another by the thread that writes them: a reader that is slow holds up
 * nobody. Closed when the reader has gone.
 */
public interface EventStream extends AutoCloseable {
    /**
     * One event.
     *
     * @param id by which a reader goes on after a lost connection; sent where it is not negative
     * @param name its kind, without line breaks
     * @param json its data, without line breaks
     */
    record Event(long id, String name, String json) {}

    /** Waits for the next event; {@code null} when there was none in this time. */
    @Nullable
    Event next(Duration wait) throws InterruptedException;

    /** Whether nothing will come any more. */
    boolean isOver();

    @Override
    void close();
}
