package io.fairlead.bench;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Ends what a benchmark has started: at {@link #close}, or when the JVM ends before that (Ctrl-C), the last thing first.
 * Any thread.
 */
public final class Cleanup implements AutoCloseable {
    private final Deque<AutoCloseable> things = new ArrayDeque<>();
    private final Thread hook = new Thread(this::endAllQuietly, "bench-cleanup");

    public Cleanup() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** Takes something over, which is handed back. */
    public synchronized <T extends AutoCloseable> T add(T thing) {
        things.push(thing);
        return thing;
    }

    /** Ends one thing now. */
    public void end(AutoCloseable thing) throws IOException {
        synchronized (this) {
            things.remove(thing);
        }
        close(thing);
    }

    @Override
    public void close() throws IOException {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is ending: the hook does it, or has done it.
        }
        IOException failure = endAll();
        if (failure != null) {
            throw failure;
        }
    }

    private void endAllQuietly() {
        // Nobody is left to be told.
        IOException ignored = endAll();
    }

    private @Nullable IOException endAll() {
        IOException failure = null;
        for (AutoCloseable thing = poll(); thing != null; thing = poll()) {
            try {
                close(thing);
            } catch (IOException e) {
                failure = e;
            }
        }
        return failure;
    }

    private synchronized @Nullable AutoCloseable poll() {
        return things.poll();
    }

    private static void close(AutoCloseable thing) throws IOException {
        try {
            thing.close();
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } catch (Exception e) {
            throw new IOException(e);
        }
    }
}
