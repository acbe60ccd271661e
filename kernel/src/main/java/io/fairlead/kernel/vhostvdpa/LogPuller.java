package io.fairlead.kernel.vhostvdpa;

import java.io.IOException;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks a device again and again for the pages that it wrote, while a machine moves: whoever reads the log reads it without
 * asking. What is written last is taken when the device has stopped, so how often this asks decides how soon pages are seen
 * and nothing else. A thread of its own.
 */
final class LogPuller implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LogPuller.class);
    private static final long INTERVAL_NANOS = 100_000_000;

    private final VhostVdpaControl control;
    private final Thread thread;
    private volatile boolean closed;

    LogPuller(VhostVdpaControl control) {
        this.control = control;
        thread = Thread.ofPlatform()
                .daemon()
                .name("fairlead-log-of-" + control.name)
                .start(this::run);
    }

    private void run() {
        while (!closed) {
            LockSupport.parkNanos(INTERVAL_NANOS);
            synchronized (control) {
                try {
                    if (!closed) {
                        control.pullLog();
                    }
                } catch (IOException e) {
                    // Pages may be missing from the log, so the machine must not move: it is told when the device
                    // stops.
                    LOG.warn("{}: the log of written pages: {}", control.peer(), e.getMessage());
                }
            }
        }
    }

    /** Does not wait: the thread may be waiting for the caller's lock. */
    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
    }
}
