package io.fairlead.qemu;

import java.io.IOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * The source's part of one attempt at a migration. {@link #close} cancels what still runs and takes back what was set up,
 * so that the next attempt starts clean. One thread at a time, but {@link #progress}, {@link #status} and {@link #cancel},
 * which any thread may call.
 *
 * <p>QEMU lets the machine run again by itself when the migration fails or is cancelled, also after {@link #goOn}.
 */
public final class OutgoingMigration implements AutoCloseable {
    private static final Duration CANCEL_TIMEOUT = Duration.ofSeconds(60);
    private static final Set<MigrationStatus> ENDS =
            EnumSet.of(MigrationStatus.COMPLETED, MigrationStatus.FAILED, MigrationStatus.CANCELLED);

    private final Qmp qmp;
    private final MigrationWatch watch;
    private final MigrationSettings settings;
    private boolean started;

    private OutgoingMigration(Qmp qmp, MigrationWatch watch, MigrationSettings settings) {
        this.qmp = qmp;
        this.watch = watch;
        this.settings = settings;
    }

    /**
     * Sets QEMU up and starts.
     *
     * @param destination where the other QEMU listens
     * @throws QmpException where QEMU refuses, for example because a device cannot migrate; nothing is changed then
     */
    public static OutgoingMigration start(Qmp qmp, MigrationOptions options, MigrationAddress destination)
            throws IOException {
        MigrationSettings settings = MigrationSettings.apply(qmp, options, "client");
        OutgoingMigration migration = new OutgoingMigration(qmp, new MigrationWatch(qmp), settings);
        try {
            JsonNode _ = qmp.execute("migrate", Map.of("uri", destination.uri()));
            migration.started = true;
            return migration;
        } finally {
            if (!migration.started) {
                migration.close();
            }
        }
    }

    /**
     * Waits until the machine is stopped and QEMU waits for {@link #goOn}; for a migration that pauses before the
     * switchover.
     *
     * @throws MigrationException where it failed or was cancelled, with QEMU's words, or time ran out
     * @throws IOException where QEMU went away
     */
    public void awaitPreSwitchover(Duration timeout) throws IOException, InterruptedException {
        Set<MigrationStatus> wanted = EnumSet.copyOf(ENDS);
        wanted.add(MigrationStatus.PRE_SWITCHOVER);
        MigrationStatus reached = watch.await(wanted, timeout);
        if (reached != MigrationStatus.PRE_SWITCHOVER) {
            throw new MigrationException("The migration ended before its switchover", reached, reason());
        }
    }

    /** Lets a migration that waits before its switchover go on. */
    public void goOn() throws IOException {
        JsonNode _ = qmp.execute("migrate-continue", Map.of("state", MigrationStatus.PRE_SWITCHOVER.qemuName()));
    }

    /**
     * Waits until everything is sent and, with a return path, loaded.
     *
     * @throws MigrationException where it failed or was cancelled, with QEMU's words, or time ran out
     * @throws IOException where QEMU went away
     */
    public MigrationProgress awaitCompleted(Duration timeout) throws IOException, InterruptedException {
        MigrationStatus end = watch.await(ENDS, timeout);
        MigrationProgress progress = progress();
        if (end != MigrationStatus.COMPLETED) {
            throw new MigrationException("The migration did not complete", end, progress.reason());
        }
        return progress;
    }

    /**
     * Asks QEMU to cancel and waits until it has ended.
     *
     * @return how it ended: cancelled or failed, and the machine goes on here; or completed, for which it was too late
     */
    public MigrationStatus cancel() throws IOException, InterruptedException {
        JsonNode _ = qmp.execute("migrate_cancel");
        return watch.await(ENDS, CANCEL_TIMEOUT);
    }

    /** The status of the latest event. */
    public MigrationStatus status() {
        return watch.status();
    }

    /** When the event of a status arrived here, by {@link System#nanoTime}. */
    public OptionalLong reachedNanos(MigrationStatus status) {
        return watch.firstNanos(status);
    }

    /** What QEMU says now. */
    public MigrationProgress progress() throws IOException {
        return watch.query();
    }

    private String reason() throws IOException {
        return progress().reason();
    }

    /** Cancels what still runs; takes back what was set up in QEMU. */
    @Override
    public void close() throws IOException {
        try {
            if (qmp.isOpen()) {
                if (started && !watch.status().isFinal()) {
                    MigrationStatus _ = cancel();
                }
                settings.undo();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while a migration was cancelled", e);
        } finally {
            watch.close();
        }
    }
}
