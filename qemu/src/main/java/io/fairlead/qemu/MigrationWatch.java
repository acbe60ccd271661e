package io.fairlead.qemu;

import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Follows a migration by QEMU's MIGRATION events, from before its start. It keeps the state and not the events, so that
 * no number of them can push one out. Any thread.
 */
final class MigrationWatch implements AutoCloseable {
    private final Qmp qmp;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Map<MigrationStatus, Long> firstNanos = new EnumMap<>(MigrationStatus.class);
    private final Runnable stopListening;
    private MigrationStatus status = MigrationStatus.NONE;
    private boolean ended;

    MigrationWatch(Qmp qmp) {
        this.qmp = qmp;
        this.stopListening = qmp.addListener(this::take);
        qmp.whenClosed(this::end);
    }

    private void take(QmpEvent event) {
        if (!event.name().equals("MIGRATION")) {
            return;
        }
        long nowNanos = System.nanoTime();
        lock.lock();
        try {
            status = MigrationStatus.of(event.data().path("status").asString(""));
            firstNanos.putIfAbsent(status, nowNanos);
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void end() {
        lock.lock();
        try {
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The status of the latest event. */
    MigrationStatus status() {
        lock.lock();
        try {
            return status;
        } finally {
            lock.unlock();
        }
    }

    /** When the event of a status arrived first, by {@link System#nanoTime}. */
    OptionalLong firstNanos(MigrationStatus wanted) {
        lock.lock();
        try {
            Long nanos = firstNanos.get(wanted);
            return nanos == null ? OptionalLong.empty() : OptionalLong.of(nanos);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits until the migration has one of some statuses.
     *
     * @throws MigrationException where time ran out
     * @throws IOException where the connection to QEMU ended first
     */
    MigrationStatus await(Set<MigrationStatus> wanted, Duration timeout) throws IOException, InterruptedException {
        long deadlineNanos = System.nanoTime() + timeout.toNanos();
        lock.lockInterruptibly();
        try {
            while (!wanted.contains(status)) {
                if (ended) {
                    throw new IOException("QEMU's monitor connection ended while the migration was " + status.qemuName()
                            + ": QEMU is gone, or its socket");
                }
                long leftNanos = deadlineNanos - System.nanoTime();
                if (leftNanos <= 0) {
                    throw new MigrationException(
                            "The migration did not become " + wanted + " within " + timeout, status, "too slow");
                }
                long _ = changed.awaitNanos(Math.min(leftNanos, TimeUnit.SECONDS.toNanos(60)));
            }
            return status;
        } finally {
            lock.unlock();
        }
    }

    /** What QEMU says now. */
    MigrationProgress query() throws IOException {
        return MigrationProgress.of(qmp.execute("query-migrate"));
    }

    @Override
    public void close() {
        stopListening.run();
    }
}
