package io.fairlead.daemon.events;

import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.http.EventStream;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.http.Route;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The last events, numbered. Readers have a place in the ring and nothing else: one that is too slow finds its place
 * overwritten, is told how many it missed by an event {@code gap}, and goes on with the oldest that is kept. Thread-safe;
 * publishing never waits for a reader.
 *
 * <p>Numbers begin with the clock's, so that they go on growing when the daemon is started anew and a reader that goes
 * on after a number of the old one notices the gap.
 */
public final class EventLog implements AutoCloseable {
    /** The kind of the event that says that others were lost: {@code {"seq","time","kind","missed"}}. */
    public static final String GAP = "gap";

    private final InstantSource clock;
    private final EventStream.@Nullable Event[] ring;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition published = lock.newCondition();
    private long oldest;
    private long next;
    private boolean closed;

    /**
     * Makes an empty log.
     *
     * @param capacity how many events it keeps
     */
    public EventLog(int capacity, InstantSource clock) {
        if (capacity < 1) {
            throw new IllegalArgumentException("a log of " + capacity + " events");
        }
        this.clock = clock;
        ring = new EventStream.Event[capacity];
        // A thousand events a millisecond would have to be published for a daemon's numbers to meet the next one's.
        next = clock.millis() * 1000;
        oldest = next;
    }

    /** Publishes an event without fields of its own. */
    public long publish(String kind, String object, String text) {
        return publish(kind, object, text, JsonMapper.shared().createObjectNode());
    }

    /**
     * Publishes an event.
     *
     * @param kind lower case with dashes, as {@code device-added}
     * @param object as {@code device/disk0} or {@code machine/vm0}
     * @param text one line for people
     * @param fields what the kind has besides; not kept
     * @return its number
     */
    public long publish(String kind, String object, String text, ObjectNode fields) {
        Instant now = clock.instant();
        lock.lock();
        try {
            long seq = next;
            ObjectNode data = JsonMapper.shared()
                    .createObjectNode()
                    .put("seq", seq)
                    .put("time", now.toString())
                    .put("kind", kind)
                    .put("object", object)
                    .put("text", text);
            fields.properties().forEach(field -> {
                if (!data.has(field.getKey())) {
                    data.set(field.getKey(), field.getValue());
                }
            });
            ring[(int) (seq % ring.length)] = new EventStream.Event(seq, kind, data.toString());
            next = seq + 1;
            oldest = Math.max(oldest, next - ring.length);
            published.signalAll();
            return seq;
        } finally {
            lock.unlock();
        }
    }

    /** The number of the newest event, or one before the first where there is none yet. */
    public long newest() {
        lock.lock();
        try {
            return next - 1;
        } finally {
            lock.unlock();
        }
    }

    /** Events that follow a number; to begin now, the {@link #newest} one. */
    public EventStream after(long seq) {
        return new Reader(seq + 1);
    }

    /** The route {@code GET /v1/events}; the header Last-Event-ID, of a reader that comes again, goes before the query. */
    public Route route() {
        return Route.get("/v1/events", "Events as they happen, as server-sent events")
                .query("after", Route.QueryType.INTEGER, "the number after which to begin; without it, from now on")
                .answers(200, "text/event-stream")
                .by(request -> {
                    Optional<String> last = request.header("Last-Event-ID");
                    long after = request.query("after", newest(), 0, Long.MAX_VALUE - 1);
                    if (last.isPresent()) {
                        try {
                            after = Math.max(0, Math.min(Long.parseLong(last.get()), Long.MAX_VALUE - 1));
                        } catch (NumberFormatException _) {
                            throw ApiException.badRequest("Last-Event-ID: not a number");
                        }
                    }
                    return Response.events(after(after));
                });
    }

    /** Ends all readers. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            published.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private EventStream.Event gap(long missed, long lastMissed) {
        String json = JsonMapper.shared()
                .createObjectNode()
                .put("seq", lastMissed)
                .put("time", clock.instant().toString())
                .put("kind", GAP)
                .put("object", "events")
                .put("text", missed + " events are not kept any more")
                .put("missed", missed)
                .toString();
        return new EventStream.Event(lastMissed, GAP, json);
    }

    private final class Reader implements EventStream {
        private long place;
        private boolean over;

        Reader(long place) {
            this.place = place;
        }

        @Override
        public EventStream.@Nullable Event next(Duration wait) throws InterruptedException {
            long left = wait.toNanos();
            lock.lockInterruptibly();
            try {
                // A number from the future is another daemon's whose clock was ahead.
                if (place < oldest || place > next) {
                    EventStream.Event gap = gap(Math.max(1, oldest - place), oldest - 1);
                    place = oldest;
                    return gap;
                }
                while (place == next && !closed && !over && left > 0) {
                    left = published.awaitNanos(left);
                }
                if (over || place == next) {
                    return null;
                }
                if (place < oldest) {
                    EventStream.Event gap = gap(oldest - place, oldest - 1);
                    place = oldest;
                    return gap;
                }
                return ring[(int) (place++ % ring.length)];
            } finally {
                lock.unlock();
            }
        }

        @Override
        public boolean isOver() {
            lock.lock();
            try {
                return over || (closed && place == next);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void close() {
            lock.lock();
            try {
                over = true;
                published.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }
}
