package io.fairlead.qemu;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/**
 * Has QEMU look for a short stop first. With each pass over memory beyond the first few, which a machine that writes less
 * than the line carries does not need, it may take twice as long, up to a limit. Follows QEMU's MIGRATION_PASS events on a
 * thread of its own; {@link #close} from any.
 */
public final class DowntimeSteps implements AutoCloseable {
    /** Where it begins. */
    public static final Duration FIRST = Duration.ofMillis(30);

    /** QEMU's own limit. */
    public static final Duration DEFAULT_LIMIT = Duration.ofMillis(300);

    private static final Logger LOG = LoggerFactory.getLogger(DowntimeSteps.class);
    private static final int FREE_PASSES = 4;
    private static final int MAX_DOUBLINGS = 30;

    private final Qmp qmp;
    private final long limitMillis;
    private final Runnable stopListening;
    private final Thread thread;
    private volatile long pass;
    private volatile boolean closed;

    private DowntimeSteps(Qmp qmp, Duration limit) {
        this.qmp = qmp;
        limitMillis = limit.toMillis();
        thread = Thread.ofVirtual().name("fairlead-downtime").unstarted(this::follow);
        stopListening = qmp.addListener(this::take);
    }

    /**
     * Follows a migration that was started with a limit of {@link #first}.
     *
     * @param limit that is not exceeded
     */
    public static DowntimeSteps follow(Qmp qmp, Duration limit) {
        DowntimeSteps steps = new DowntimeSteps(qmp, limit);
        steps.thread.start();
        return steps;
    }

    /** What to start with. */
    public static Duration first(Duration limit) {
        return limit.compareTo(FIRST) < 0 ? limit : FIRST;
    }

    /** What QEMU may take in a pass, from 1. */
    static long millis(long pass, long limitMillis) {
        long doublings = Math.clamp(pass - FREE_PASSES, 0, MAX_DOUBLINGS);
        return Math.min(limitMillis, FIRST.toMillis() << doublings);
    }

    private void take(QmpEvent event) {
        if (event.name().equals("MIGRATION_PASS")) {
            pass = event.data().path("pass").asLong(0);
            LockSupport.unpark(thread);
        }
    }

    private void follow() {
        long told = millis(1, limitMillis);
        while (!closed && told < limitMillis) {
            long wanted = millis(pass, limitMillis);
            if (wanted == told) {
                LockSupport.park(this);
                continue;
            }
            try {
                JsonNode _ = qmp.execute("migrate-set-parameters", Map.of("downtime-limit", wanted));
                told = wanted;
            } catch (IOException e) {
                LOG.debug("the downtime limit stays at {} ms", told, e);
                return;
            }
        }
    }

    /** Leaves QEMU at the limit that it has. Returns when no command is under way. */
    @Override
    public void close() {
        stopListening.run();
        closed = true;
        LockSupport.unpark(thread);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
