package io.fairlead.vhostuser.client;

import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks for a daemon that went, on a thread that lives only so long. A daemon that is back is found within a tenth of a
 * second; one that goes again and again is tried at longer and longer intervals. Thread-safe.
 */
final class Reconnector implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Reconnector.class);
    private static final long FIRST_MILLIS = 10;
    private static final long ABSENT_MILLIS = 100;
    private static final long LONGEST_MILLIS = 5_000;

    /** A connection that held so long was a good one. */
    private static final long GOOD_NANOS = 1_000_000_000;

    private final BackendControl control;
    private final Set<Thread> threads = new HashSet<>();
    private @Nullable BackendConnection pending;
    private boolean looking;
    private boolean closed;
    private long delayMillis = FIRST_MILLIS;
    private long connectedNanos = System.nanoTime() - GOOD_NANOS;
    private @Nullable String lastFailure;

    Reconnector(BackendControl control) {
        this.control = control;
    }

    /** Connects and negotiates, without the device's lock. */
    BackendLink connect() throws IOException {
        BackendConnection connection =
                BackendConnection.connect(control.settings.socket(), control.peer(), control.settings.answerTimeout());
        try {
            pending(connection);
            BackendLink link = BackendLink.open(connection, control.settings);
            pending(null);
            return link;
        } catch (IOException | RuntimeException e) {
            pending(null);
            connection.close();
            throw e;
        }
    }

    private synchronized void pending(@Nullable BackendConnection connection) {
        pending = connection;
        if (closed && connection != null) {
            connection.shutdown();
        }
    }

    /** Runs what must not run on an event loop, since it waits for the device. */
    synchronized void later(Runnable task) {
        if (!closed) {
            begin(task);
        }
    }

    /** Begins to look, unless that is being done. */
    synchronized void start() {
        if (closed || looking) {
            return;
        }
        looking = true;
        delayMillis = System.nanoTime() - connectedNanos > GOOD_NANOS
                ? FIRST_MILLIS
                : Math.min(2 * delayMillis, LONGEST_MILLIS);
        begin(this::look);
    }

    private void begin(Runnable task) {
        Thread thread = Thread.ofPlatform()
                .daemon()
                .name("fairlead-daemon-of-" + control.name)
                .unstarted(() -> {
                    try {
                        task.run();
                    } finally {
                        ended(Thread.currentThread());
                    }
                });
        threads.add(thread);
        thread.start();
    }

    private synchronized void ended(Thread thread) {
        threads.remove(thread);
        notifyAll();
    }

    private void look() {
        while (sleep()) {
            try {
                BackendLink link = connect();
                try {
                    control.take(link);
                    taken(control.isConnected());
                } catch (IOException | RuntimeException e) {
                    link.close();
                    throw e;
                }
            } catch (IOException | RuntimeException e) {
                String failure = String.valueOf(e.getMessage());
                if (!failure.equals(lastFailure)) {
                    LOG.warn("{}", failure);
                    lastFailure = failure;
                }
            }
        }
    }

    private synchronized void taken(boolean stayed) {
        if (stayed) {
            LOG.info("{}: the daemon is back", control.peer());
            lastFailure = null;
            connectedNanos = System.nanoTime();
        } else {
            // What we told it was too much for it.
            delayMillis = Math.min(2 * delayMillis, LONGEST_MILLIS);
        }
    }

    /** @return false where there is nothing more to look for */
    private boolean sleep() {
        // Asked without our lock: the device's comes first.
        if (control.isSettled()) {
            synchronized (this) {
                looking = false;
            }
            // It may have gone between the two.
            if (!control.isSettled()) {
                start();
            }
            return false;
        }
        synchronized (this) {
            long deadline = System.nanoTime() + delayMillis * 1_000_000;
            while (!closed) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    break;
                }
                try {
                    wait(left);
                } catch (InterruptedException e) {
                    closed = true;
                }
            }
            delayMillis = Math.max(delayMillis, Math.min(2 * delayMillis, ABSENT_MILLIS));
            if (closed) {
                looking = false;
            }
            return !closed;
        }
    }

    /** Ends what is under way and waits for it; not under the device's lock. */
    @Override
    public synchronized void close() {
        closed = true;
        if (pending != null) {
            pending.shutdown();
        }
        notifyAll();
        boolean interrupted = false;
        while (!threads.isEmpty()) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
