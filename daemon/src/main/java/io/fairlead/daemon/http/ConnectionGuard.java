package io.fairlead.daemon.http;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.ssl.SslConnection;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Bounds the connections of a listener and the time that each may take to say what it wants. Where the bound is reached,
 * the one that has been silent for longest is dropped for the new one; where all are being served, the new one is closed.
 * Thread-safe.
 */
final class ConnectionGuard implements Connection.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(ConnectionGuard.class);
    private static final long NEVER = Long.MAX_VALUE;

    private final String listener;
    private final int most;
    private final long idleNanos;
    private final long requestNanos;
    private final Map<EndPoint, Tracked> byEndPoint = new HashMap<>();
    /** Those that no request is being served of, the one that has been silent for longest first. */
    private final SequencedSet<Tracked> silent = new LinkedHashSet<>();

    private final AtomicLong dropped = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    /** A connection. */
    static final class Tracked {
        private final EndPoint endPoint;
        private long sinceNanos;
        private long allowedNanos;
        private @Nullable Caller caller;

        Tracked(EndPoint endPoint) {
            this.endPoint = endPoint;
        }
    }

    ConnectionGuard(String listener, int most, Duration idle, Duration request) {
        this.listener = listener;
        this.most = most;
        idleNanos = idle.toNanos();
        requestNanos = request.toNanos();
    }

    @Override
    public void onOpened(Connection connection) {
        EndPoint endPoint = bare(connection.getEndPoint());
        EndPoint victim = null;
        synchronized (this) {
            if (byEndPoint.containsKey(endPoint)) {
                // HTTP on top of TLS.
                return;
            }
            Tracked tracked = new Tracked(endPoint);
            if (byEndPoint.size() >= most && silent.isEmpty()) {
                victim = endPoint;
                refused.incrementAndGet();
            } else {
                if (byEndPoint.size() >= most) {
                    victim = silent.removeFirst().endPoint;
                    byEndPoint.remove(victim);
                    dropped.incrementAndGet();
                }
                byEndPoint.put(endPoint, tracked);
                silence(tracked, requestNanos);
            }
        }
        if (victim != null) {
            LOG.debug("{}: {} connections are open, one was closed", listener, most);
            victim.close();
        }
    }

    @Override
    public synchronized void onClosed(Connection connection) {
        if (connection instanceof SslConnection || !(connection.getEndPoint() instanceof EndPoint.Wrapper)) {
            Tracked tracked = byEndPoint.remove(connection.getEndPoint());
            if (tracked != null) {
                silent.remove(tracked);
            }
        }
    }

    /** A request's header has come; its body has the request's time to follow. Null where the connection was dropped. */
    synchronized @Nullable Tracked begin(EndPoint endPoint) {
        Tracked tracked = byEndPoint.get(bare(endPoint));
        if (tracked != null) {
            silent.remove(tracked);
            tracked.sinceNanos = System.nanoTime();
            tracked.allowedNanos = requestNanos;
        }
        return tracked;
    }

    /** The whole request is here: it may be served for as long as it takes. */
    synchronized void serve(Tracked tracked) {
        tracked.allowedNanos = NEVER;
    }

    /** The answer is away. */
    synchronized void end(Tracked tracked) {
        if (byEndPoint.get(tracked.endPoint) == tracked) {
            silence(tracked, idleNanos);
        }
    }

    /** Who is at the other end, asked for once. */
    static Caller caller(Tracked tracked, Function<EndPoint, Caller> ask) {
        // Requests of a connection come one after another.
        if (tracked.caller == null) {
            tracked.caller = ask.apply(tracked.endPoint);
        }
        return tracked.caller;
    }

    /** Closes those whose time is over; called every now and then. */
    void sweep() {
        List<EndPoint> over = new ArrayList<>();
        synchronized (this) {
            long now = System.nanoTime();
            for (Tracked tracked : byEndPoint.values()) {
                if (tracked.allowedNanos != NEVER && now - tracked.sinceNanos > tracked.allowedNanos) {
                    over.add(tracked.endPoint);
                }
            }
        }
        if (!over.isEmpty()) {
            LOG.debug("{}: {} connections said nothing in time and were closed", listener, over.size());
            over.forEach(EndPoint::close);
        }
    }

    /** How many connections are open. */
    synchronized int open() {
        return byEndPoint.size();
    }

    /** How many silent connections were dropped for new ones. */
    long dropped() {
        return dropped.get();
    }

    /** How many connections were refused while all others were being served. */
    long refused() {
        return refused.get();
    }

    private void silence(Tracked tracked, long allowedNanos) {
        tracked.sinceNanos = System.nanoTime();
        tracked.allowedNanos = allowedNanos;
        silent.add(tracked);
    }

    private static EndPoint bare(EndPoint endPoint) {
        return endPoint instanceof EndPoint.Wrapper wrapper ? wrapper.unwrap() : endPoint;
    }
}
