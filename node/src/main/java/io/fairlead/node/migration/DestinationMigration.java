package io.fairlead.node.migration;

import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.journal.Step;
import io.fairlead.node.memory.MemoryDifferences;
import io.fairlead.node.memory.MemoryHashes;
import io.fairlead.node.memory.MemoryPiece;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The destination's part of one migration. It may give the machine up by itself until it is about to start it; from then
 * on it never gives it up. Each step is in the journal before it has an effect, so that the next process goes on where a
 * killed one was.
 *
 * <p>Thread-safe: requests of the source, QEMU's events and the end of the channel come as they like; one decision is made.
 */
public final class DestinationMigration {
    private static final Logger LOG = LoggerFactory.getLogger(DestinationMigration.class);
    private static final String STATES_SUFFIX = ".states";
    private static final String HASHES_SUFFIX = ".hashes";

    private final MigrationJournal journal;
    private final DestinationSide side;
    private final CompletableFuture<Void> settled = new CompletableFuture<>();
    private final CompletableFuture<Outcome> decided = new CompletableFuture<>();
    private final CompletableFuture<Void> cleaned = new CompletableFuture<>();
    private final CompletableFuture<Void> durable = new CompletableFuture<>();
    private long grantedNanos;

    /** Of the machine's memory; null where there is no self-check. */
    private @Nullable MemoryHashes hashes;

    private DestinationMigration(MigrationJournal journal, DestinationSide side) {
        this.journal = journal;
        this.side = side;
    }

    /** A new one: its journal is begun, QEMU not touched yet. */
    public static DestinationMigration begin(MigrationJournal journal, DestinationSide side) {
        DestinationMigration migration = new DestinationMigration(journal, side);
        migration.watch();
        return migration;
    }

    private void watch() {
        var _ = side.gone().thenAccept(reason -> abort("the destination's QEMU ended: " + reason.getMessage()));
    }

    /** Lets QEMU listen; where that fails, everything is as before. */
    public int listen(MigrationPlan plan, List<byte[]> provisionalStates) throws IOException {
        try {
            int port = side.listen(plan, provisionalStates);
            if (plan.selfCheck()) {
                MemoryHashes created = MemoryHashes.create(journal.sibling(HASHES_SUFFIX), side.memoryBytes());
                synchronized (this) {
                    hashes = created;
                }
            }
            var _ = side.loaded().exceptionally(e -> {
                abort("the destination's QEMU did not load the machine: " + e.getMessage());
                return null;
            });
            return port;
        } catch (IOException | RuntimeException e) {
            abort("not prepared: " + e.getMessage());
            throw e;
        }
    }

    /** Takes the final states; where one is not right, the migration ends here. */
    public void states(List<byte[]> states) throws IOException {
        synchronized (this) {
            if (journal.last() == Step.ABORTED) {
                throw new IOException(journal.reason());
            }
            if (journal.last() != Step.BEGUN) {
                throw new IOException("final states come once, and the migration is " + journal.last());
            }
        }
        try {
            // Kept for the next process: requests in flight have to be carried over there, too.
            write(journal.sibling(STATES_SUFFIX), states);
            side.apply(states, settled);
            synchronized (this) {
                if (journal.last() != Step.BEGUN) {
                    throw new IOException("the migration is " + journal.last() + ": " + journal.reason());
                }
                journal.append(Step.READY, "");
            }
        } catch (IOException | RuntimeException e) {
            abort("the final states were refused: " + e.getMessage());
            throw e;
        }
    }

    /** Takes the hashes of a piece of the machine's memory; where it is not right, the migration ends here. */
    public void memory(MemoryPiece piece, boolean isLast) throws IOException {
        try {
            synchronized (this) {
                if (hashes == null || journal.last() != Step.READY) {
                    throw new IOException("nobody asked for them, the migration is " + journal.last());
                }
                hashes.add(piece, isLast);
            }
        } catch (IOException | RuntimeException e) {
            abort("the hashes of the memory were refused: " + e.getMessage());
            throw e;
        }
    }

    /**
     * From now on only this side may run the machine. It does as soon as QEMU has loaded it and the grant outlasts this
     * host.
     *
     * @return completed with what became of it
     */
    public CompletableFuture<Outcome> grant() throws IOException {
        synchronized (this) {
            if (journal.last() == Step.READY) {
                if (hashes != null && !hashes.isComplete()) {
                    throw new IOException("a grant before all hashes of the memory");
                }
                journal.append(Step.GRANTED, "");
                grantedNanos = System.nanoTime();
                Thread _ = Thread.ofPlatform().daemon().name("fairlead-journal").start(this::forceGrant);
            } else if (journal.last() == Step.BEGUN) {
                throw new IOException("a grant before the final states");
            } else {
                return decided.copy();
            }
        }
        // On whichever thread comes last: nothing lies between the load and the start.
        var _ = side.loaded().thenCombine(durable, (_, _) -> true).thenRun(this::start);
        return decided.copy();
    }

    private void forceGrant() {
        try {
            journal.force();
            durable.complete(null);
        } catch (IOException e) {
            abort("the grant could not be written down: " + e.getMessage());
        }
    }

    private void start() {
        long loadedNanos = System.nanoTime();
        if (journal.last() == Step.GRANTED && !isAsItWas()) {
            return;
        }
        synchronized (this) {
            if (journal.last() != Step.GRANTED && journal.last() != Step.STARTING) {
                return;
            }
            try {
                journal.append(Step.STARTING, "");
            } catch (IOException e) {
                abort("the start could not be written down: " + e.getMessage());
                return;
            }
        }
        try {
            side.run();
        } catch (IOException e) {
            startFailed(e);
            return;
        }
        decide(Step.RUNNING, "", millis(grantedNanos, loadedNanos), millis(grantedNanos, System.nanoTime()));
    }

    /** The self-check, where one was asked for; a machine that fails it has not run and never will. */
    private boolean isAsItWas() {
        Path file = journal.sibling(HASHES_SUFFIX);
        if (!Files.exists(file)) {
            return true;
        }
        try {
            MemoryDifferences differences = side.compareMemory(file);
            if (differences.isEmpty()) {
                return true;
            }
            abort("self-check: " + differences);
        } catch (IOException | RuntimeException e) {
            abort("self-check: the memory could not be compared: " + e.getMessage());
        }
        return false;
    }

    /** It may run or not: only QEMU knows. */
    private void startFailed(IOException failure) {
        try {
            if (side.isRunning()) {
                decide(Step.RUNNING, "", 0, 0);
            } else {
                // QEMU answers and has not started it: nobody else will tell it to.
                decide(Step.ABORTED, "the destination's QEMU did not start the machine: " + failure.getMessage(), 0, 0);
                discard();
            }
        } catch (IOException e) {
            decide(
                    Step.LOST,
                    "the destination's QEMU ended while it started the machine: " + failure.getMessage(),
                    0,
                    0);
        }
    }

    /** Gives the machine up, unless it is too late: what became of it says the answer. */
    public CompletableFuture<Outcome> withdraw(String reason) {
        abort(reason);
        return decided.copy();
    }

    /** The source's devices are settled, or its process is gone. */
    public void settled() {
        settled.complete(null);
    }

    /** Whether carried requests still wait for the source. */
    public boolean isSettled() {
        return settled.isDone();
    }

    /** The connection to the source ended. Without a grant that is the end; with one, nothing changes. */
    public void channelEnded(IOException reason) {
        synchronized (this) {
            if (journal.last() != Step.BEGUN && journal.last() != Step.READY) {
                return;
            }
        }
        abortUnlessGranted("the channel to the source ended: " + reason.getMessage());
    }

    /** Completed with what became of the machine. */
    public CompletableFuture<Outcome> decided() {
        return decided.copy();
    }

    /** Completed after {@link #decided}, when nothing is left of it in a QEMU that does not run the machine. */
    public CompletableFuture<Void> cleaned() {
        return cleaned.copy();
    }

    /** How far it is. */
    public Step step() {
        return journal.last();
    }

    /** The source will not ask again. */
    public void forget() throws IOException {
        if (!journal.last().isFinal()) {
            throw new IOException("the migration is " + journal.last() + " and cannot be forgotten");
        }
        Files.deleteIfExists(journal.sibling(STATES_SUFFIX));
        Files.deleteIfExists(journal.sibling(HASHES_SUFFIX));
        journal.delete();
    }

    /**
     * Goes on where a process ended that was killed, before the devices are served.
     *
     * @param sameBoot whether the host has run all the time: then every record that was written is there
     */
    public static DestinationMigration recover(MigrationJournal journal, DestinationSide side, boolean sameBoot) {
        DestinationMigration migration = new DestinationMigration(journal, side);
        switch (journal.last()) {
            case BEGUN, READY -> {
                migration.abort("the destination's node was started again before the grant");
            }
            case GRANTED, STARTING -> {
                if (sameBoot) {
                    migration.goOn();
                } else {
                    migration.decide(
                            Step.LOST, "the destination's host was started again while it took the machine", 0, 0);
                }
            }
            case RUNNING, LOST -> {
                migration.decided.complete(new Outcome(journal.last(), journal.reason(), 0, 0));
                migration.cleaned.complete(null);
            }
            case ABORTED -> {
                migration.decided.complete(new Outcome(journal.last(), journal.reason(), 0, 0));
                migration.discard();
            }
        }
        return migration;
    }

    private void goOn() {
        boolean mayHaveRun = journal.last() == Step.STARTING;
        try {
            if (mayHaveRun && side.isRunning()) {
                decide(Step.RUNNING, "", 0, 0);
                return;
            }
            if (!side.isRunning()) {
                side.apply(read(journal.sibling(STATES_SUFFIX)), settled);
            }
        } catch (IOException e) {
            if (mayHaveRun) {
                decide(Step.LOST, "the destination's node and QEMU ended while the machine was started", 0, 0);
            } else {
                abort("the destination's node and QEMU ended before the machine was started: " + e.getMessage());
            }
            return;
        }
        grantedNanos = System.nanoTime();
        watch();
        Thread _ = Thread.ofPlatform().daemon().name("fairlead-journal").start(this::forceGrant);
        var _ = side.loaded()
                .thenCombine(durable, (_, _) -> true)
                .thenRun(this::start)
                .exceptionally(e -> {
                    String reason = "the destination's QEMU did not load the machine: " + e.getMessage();
                    if (mayHaveRun) {
                        boolean _ = decide(Step.LOST, reason, 0, 0);
                    } else {
                        abort(reason);
                    }
                    return null;
                });
    }

    private void abortUnlessGranted(String reason) {
        synchronized (this) {
            if (journal.last() != Step.BEGUN && journal.last() != Step.READY) {
                return;
            }
            if (!abortLocked(reason)) {
                return;
            }
        }
        discard();
    }

    private void abort(String reason) {
        synchronized (this) {
            if (!abortLocked(reason)) {
                return;
            }
        }
        discard();
    }

    private boolean abortLocked(String reason) {
        Step last = journal.last();
        if (last != Step.BEGUN && last != Step.READY && last != Step.GRANTED) {
            return false;
        }
        return decide(Step.ABORTED, reason, 0, 0);
    }

    /** Answers whether it is written: a decision that is not is none, and the source goes on asking. */
    private synchronized boolean decide(Step step, String reason, long loadedMillis, long startedMillis) {
        if (journal.last().isFinal()) {
            return false;
        }
        try {
            journal.append(step, reason);
        } catch (IOException e) {
            LOG.error("migration {}: '{}' could not be written down: {}", journal.id(), step, e.getMessage());
            return false;
        }
        if (step != Step.RUNNING) {
            LOG.warn("migration {}: {}: {}", journal.id(), step, reason);
        }
        decided.complete(new Outcome(step, reason, loadedMillis, startedMillis));
        if (step != Step.ABORTED) {
            cleaned.complete(null);
        }
        return true;
    }

    private void discard() {
        try {
            side.discard();
        } catch (IOException e) {
            LOG.warn("migration {}: what was prepared was not cleaned up: {}", journal.id(), e.getMessage());
        }
        cleaned.complete(null);
    }

    private static long millis(long from, long to) {
        return Math.max(0, to - from) / 1_000_000;
    }

    private static void write(Path file, List<byte[]> states) throws IOException {
        int byteCount = Integer.BYTES;
        for (byte[] state : states) {
            byteCount += Integer.BYTES + state.length;
        }
        ByteBuffer whole = ByteBuffer.allocate(byteCount);
        whole.putInt(states.size());
        states.forEach(state -> whole.putInt(state.length).put(state));
        Files.write(file, whole.array());
    }

    private static List<byte[]> read(Path file) throws IOException {
        ByteBuffer whole = ByteBuffer.wrap(Files.readAllBytes(file));
        List<byte[]> states = new ArrayList<>();
        try {
            int count = whole.getInt();
            for (int i = 0; i < count; i++) {
                byte[] state = new byte[Math.min(whole.getInt(), whole.remaining())];
                whole.get(state);
                states.add(state);
            }
        } catch (RuntimeException e) {
            throw new IOException(file + " is broken", e);
        }
        return states;
    }
}
