package io.fairlead.qemu;

import java.io.IOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * The destination's part of a migration, in a QEMU that was started with {@code -incoming defer}, best with {@code -S} so
 * that the machine waits for {@code cont}. A QEMU takes one incoming migration in its life: after a failed one it has to
 * be started again. One thread at a time, but {@link #progress} and {@link #status}, which any thread may call.
 */
public final class IncomingMigration implements AutoCloseable {
    private static final Set<MigrationStatus> ENDS =
            EnumSet.of(MigrationStatus.COMPLETED, MigrationStatus.FAILED, MigrationStatus.CANCELLED);

    private final Qmp qmp;
    private final MigrationWatch watch;
    private final MigrationSettings settings;
    private final MigrationAddress address;

    private IncomingMigration(Qmp qmp, MigrationWatch watch, MigrationSettings settings, MigrationAddress address) {
        this.qmp = qmp;
        this.watch = watch;
        this.settings = settings;
        this.address = address;
    }

    /**
     * Sets QEMU up and lets it listen.
     *
     * @param listenAt a Unix socket, or a TCP address, with port 0 for any
     * @throws QmpException where QEMU refuses, for example because it does not wait for a migration
     */
    public static IncomingMigration listen(Qmp qmp, MigrationOptions options, MigrationAddress listenAt)
            throws IOException {
        MigrationSettings settings = MigrationSettings.apply(qmp, options, "server");
        MigrationWatch watch = new MigrationWatch(qmp);
        boolean listening = false;
        try {
            Map<String, Object> arguments = new LinkedHashMap<>();
            arguments.put("uri", listenAt.uri());
            if (MachineFacts.version(qmp).isAtLeast(9, 1)) {
                // QEMU stays to tell what went wrong, and is not mistaken for one that crashed.
                arguments.put("exit-on-error", false);
            }
            JsonNode _ = qmp.execute("migrate-incoming", arguments);
            IncomingMigration incoming = new IncomingMigration(qmp, watch, settings, actual(qmp, listenAt));
            listening = true;
            return incoming;
        } finally {
            if (!listening) {
                watch.close();
                if (qmp.isOpen()) {
                    settings.undo();
                }
            }
        }
    }

    private static MigrationAddress actual(Qmp qmp, MigrationAddress asked) throws IOException {
        JsonNode addresses = qmp.execute("query-migrate").path("socket-address");
        return addresses.isEmpty() ? asked : MigrationAddress.of(addresses.get(0));
    }

    /** Where QEMU listens, with the port it chose; a host of {@code 0.0.0.0} or {@code ::} is not where it is reached. */
    public MigrationAddress address() {
        return address;
    }

    /**
     * Waits until the whole state is loaded.
     *
     * @throws MigrationException where QEMU refused it, with QEMU's words, or time ran out
     * @throws IOException where QEMU went away
     */
    public MigrationProgress awaitLoaded(Duration timeout) throws IOException, InterruptedException {
        MigrationStatus end = watch.await(ENDS, timeout);
        MigrationProgress progress = progress();
        if (end != MigrationStatus.COMPLETED) {
            throw new MigrationException("The destination did not load the machine", end, progress.reason());
        }
        return progress;
    }

    /** Whether the whole state is loaded: from then on this machine can run. */
    public boolean isLoaded() {
        return watch.status() == MigrationStatus.COMPLETED;
    }

    /** The status of the latest event; {@link MigrationStatus#NONE} until a source came. */
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

    /** Takes back what was set up in QEMU, where the migration has ended; keeps listening to nothing. */
    @Override
    public void close() throws IOException {
        watch.close();
        if (qmp.isOpen() && watch.status().isFinal()) {
            settings.undo();
        }
    }
}
