package io.fairlead.node.migration;

import io.fairlead.node.channel.Message;
import io.fairlead.node.channel.Peer;
import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.journal.Step;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The source's part of one migration, which drives it. Until the grant any failure leads back: the machine goes on here.
 * The grant is written down before it is sent; from then on the machine goes on here only when the destination has said
 * that it never ran there and never will.
 *
 * <p>One thread runs it; {@link #cancel} is for any thread.
 */
public final class SourceMigration {
    private static final Logger LOG = LoggerFactory.getLogger(SourceMigration.class);
    private static final Duration ANSWER = Duration.ofSeconds(30);

    /** For what the source still has to say when the machine is away; the destination asks where it did not hear it. */
    private static final Duration LAST_WORDS = Duration.ofSeconds(5);

    private final String machine;
    private final MigrationPlan plan;
    private final MigrationJournal journal;
    private final SourceSide side;
    private final Peer.Link link;
    private final MigrationListener listener;
    private final Stopwatch watch = new Stopwatch(System::nanoTime);
    private final CompletableFuture<Void> failed = new CompletableFuture<>();
    private boolean granted;

    private volatile long stoppedNanos;
    private volatile long grantedNanos;
    private long stateBytes;
    private long checkedBytes;
    private long checkMillis;
    private CompletableFuture<?> lastPiece = CompletableFuture.completedFuture(null);
    private StreamProgress stream = StreamProgress.NONE;

    /**
     * @param journal begun; the migration's from now on
     * @param link to the node that {@code peer} of {@link #run} is a connection to
     */
    public SourceMigration(
            String machine,
            MigrationPlan plan,
            MigrationJournal journal,
            SourceSide side,
            Peer.Link link,
            MigrationListener listener) {
        this.machine = machine;
        this.plan = plan;
        this.journal = journal;
        this.side = side;
        this.link = link;
        this.listener = listener;
    }

    /**
     * Takes it back, unless the destination may run it already.
     *
     * @return false where it was too late
     */
    public synchronized boolean cancel(String reason) {
        if (granted) {
            return false;
        }
        failed.completeExceptionally(new IOException(reason));
        return true;
    }

    /** The one place where it is decided: either somebody took it back before, or it is granted for good. */
    private synchronized void decideToGrant() throws IOException {
        if (failed.isCompletedExceptionally()) {
            Await.the(failed);
        }
        journal.append(Step.GRANTED, "");
        granted = true;
        grantedNanos = System.nanoTime();
    }

    /**
     * Moves the machine.
     *
     * @param peer a connection that holds
     * @param host where the destination's QEMU is reached
     * @param provisionalStates of the devices
     * @param mayFreeze whether requests in flight may be carried over
     */
    public MigrationReport run(Peer peer, String host, List<byte[]> provisionalStates, boolean mayFreeze) {
        Outcome outcome;
        try {
            var _ = peer.end().thenAccept(reason -> {
                boolean _ = cancel("the channel to the other node ended: " + reason.getMessage());
            });
            var _ = side.gone().thenAccept(reason -> {
                boolean _ = cancel("the source's QEMU ended: " + reason.getMessage());
            });
            CompletableFuture<Message> answer = untilGranted(peer, host, provisionalStates, mayFreeze);
            outcome = awaitOutcome(answer);
        } catch (IOException | RuntimeException e) {
            if (e instanceof RuntimeException) {
                LOG.error("the migration of {} failed", machine, e);
            }
            return rolledBack(peer, String.valueOf(e.getMessage()));
        }
        return concluded(outcome);
    }

    /** Goes on where a process ended that was killed; the devices are held by the caller since it started. */
    public MigrationReport recover() {
        Step last = journal.last();
        if (last.isFinal()) {
            return concluded(new Outcome(last, journal.reason(), 0, 0));
        }
        if (last != Step.GRANTED) {
            return rolledBack(null, "this node was started again before the grant");
        }
        synchronized (this) {
            granted = true;
        }
        enter(Phase.COMMIT);
        // Nobody lets a QEMU go on that was left waiting: unless the machine runs there by now, it goes on here.
        return concluded(askAgain("this node was started again after the grant", Kind.WITHDRAW));
    }

    private CompletableFuture<Message> untilGranted(
            Peer peer, String host, List<byte[]> provisionalStates, boolean mayFreeze) throws IOException {
        enter(Phase.PREPARE);
        Message prepare = plan.into(
                new Message(Kind.PREPARE, message(Kind.PREPARE).fields(), provisionalStates).with("machine", machine));
        side.replugged().forEach(prepare.fields().putArray("replugged")::add);
        int port = await(peer.ask(prepare), ANSWER).fields().path("port").asInt(0);
        if (port < 1 || port > 0xffff) {
            throw new IOException("the other node's QEMU listens at port " + port + ", which is none");
        }
        // What is in flight would go on writing while memory is hashed.
        side.prepareStop(mayFreeze && !plan.selfCheck());
        enter(Phase.PRECOPY);
        side.start(plan, host, port);
        await(side.stopped(), null);
        stoppedNanos = System.nanoTime();
        enter(Phase.STOP);
        watchBudget(peer);
        side.hold();
        // The last pages go over beside the states: without the grant the destination does not run what it has loaded.
        proceed(peer);
        List<byte[]> states = side.finalStates();
        stateBytes = states.stream().mapToLong(state -> state.length).sum();
        await(peer.ask(new Message(Kind.STATES, message(Kind.STATES).fields(), states)), ANSWER);
        if (plan.selfCheck()) {
            sendHashes(peer);
        }
        decideToGrant();
        CompletableFuture<Message> answer = peer.ask(message(Kind.GRANT));
        enter(Phase.COMMIT);
        tellWhenSettled(peer);
        return answer;
    }

    /** Before the grant a stream that breaks leads back; after it the destination is asked to give the machine up. */
    private void proceed(Peer peer) throws IOException {
        var _ = side.completed().exceptionally(e -> {
            String reason = "the source's QEMU could not finish: " + e.getMessage();
            if (!cancel(reason)) {
                withdraw(peer, reason);
            }
            return null;
        });
        side.proceed();
    }

    /** One piece is on its way while the next one is hashed. */
    private void sendHashes(Peer peer) throws IOException {
        long start = System.nanoTime();
        side.hashMemory((piece, isLast) -> {
            var _ = await(lastPiece, ANSWER);
            lastPiece = peer.ask(piece.into(message(Kind.MEMORY)).with("last", isLast ? 1 : 0));
            checkedBytes += piece.byteCount();
        });
        var _ = await(lastPiece, ANSWER);
        checkMillis = (System.nanoTime() - start) / 1_000_000;
    }

    /** Before the grant a stop that lasts too long is undone; after it the destination is asked to give it up. */
    private void watchBudget(Peer peer) {
        if (plan.downtimeBudgetMillis() == 0) {
            return;
        }
        String reason = "the stop lasted longer than the budget of " + plan.downtimeBudgetMillis() + " ms";
        long left = plan.downtimeBudgetMillis() - (System.nanoTime() - stoppedNanos) / 1_000_000;
        var _ = CompletableFuture.runAsync(
                () -> {
                    if (!cancel(reason)) {
                        withdraw(peer, reason);
                    }
                },
                CompletableFuture.delayedExecutor(Math.max(0, left), TimeUnit.MILLISECONDS));
    }

    private void withdraw(Peer peer, String reason) {
        // What became of it says the answer to the grant.
        var _ = peer.ask(message(Kind.WITHDRAW).with("reason", reason));
    }

    private void tellWhenSettled(Peer peer) {
        var _ = side.settled().thenRun(() -> {
            var _ = peer.ask(message(Kind.SETTLED));
        });
    }

    private Outcome awaitOutcome(CompletableFuture<Message> answer) {
        try {
            return Outcome.of(Await.the(answer));
        } catch (IOException e) {
            return askAgain(String.valueOf(e.getMessage()), Kind.GRANT);
        }
    }

    /**
     * Only the destination knows. It is asked until it answers: neither side may guess.
     *
     * @param kind GRANT or WITHDRAW, which are answered alike
     */
    private Outcome askAgain(String why, String kind) {
        String said = "";
        Backoff backoff = new Backoff();
        String reason = why;
        while (true) {
            if (!reason.equals(said)) {
                listener.note("asking the other node what became of the machine: " + reason);
                said = reason;
            }
            try {
                Peer peer = link.connect();
                tellWhenSettled(peer);
                CompletableFuture<Message> answer = peer.ask(message(kind).with("reason", why));
                if (side.completed().isCompletedExceptionally()) {
                    withdraw(peer, "the source's QEMU could not finish");
                }
                return Outcome.of(Await.the(answer));
            } catch (IOException e) {
                reason = String.valueOf(e.getMessage());
            }
            backoff.pause();
        }
    }

    private MigrationReport concluded(Outcome outcome) {
        long stopMillis = grantedNanos == 0 ? 0 : (grantedNanos - stoppedNanos) / 1_000_000;
        long stoppedMillis = stoppedNanos == 0 ? 0 : (System.nanoTime() - stoppedNanos) / 1_000_000;
        MigrationReport.Result result = switch (outcome.step()) {
            case RUNNING -> MigrationReport.Result.MOVED;
            case ABORTED -> MigrationReport.Result.STAYED;
            default -> MigrationReport.Result.LOST;
        };
        String reason = outcome.reason();
        try {
            if (!journal.last().isFinal()) {
                journal.append(outcome.step(), reason);
            }
            listener.decided(outcome);
            if (outcome.step() == Step.ABORTED) {
                enter(Phase.ROLLBACK);
                side.release();
                side.resume();
                stoppedMillis = stoppedNanos == 0 ? 0 : (System.nanoTime() - stoppedNanos) / 1_000_000;
            } else {
                stream = lastProgress();
                leave();
            }
        } catch (IOException e) {
            if (outcome.step() == Step.ABORTED) {
                result = MigrationReport.Result.LOST;
                reason = reason + "; and it does not go on here: " + e.getMessage();
            } else {
                listener.note("the source's QEMU is still there: " + e.getMessage());
            }
        }
        // Carried requests wait at the destination until the slowest of them is settled here.
        CompletableFuture<Void> settled = side.settled().toCompletableFuture();
        if (settled.isDone()) {
            lastWords();
        } else {
            var _ = settled.thenRunAsync(this::lastWords);
        }
        watch.end();
        return new MigrationReport(
                result,
                reason,
                watch.totalMillis(),
                watch.millis(),
                stoppedMillis,
                stopMillis,
                outcome.loadedMillis(),
                outcome.startedMillis(),
                stateBytes,
                checkedBytes,
                checkMillis,
                side.deviceMarks(),
                stream,
                List.of());
    }

    /** A QEMU whose stream broke may be letting its machine run, and answers nothing while its devices are held. */
    private StreamProgress lastProgress() {
        if (side.completed().isCompletedExceptionally()) {
            return stream;
        }
        try {
            return side.progress();
        } catch (IOException e) {
            return stream;
        }
    }

    private void leave() throws IOException {
        if (plan.keepSource()) {
            // It stays held: a machine that runs elsewhere must not be started here by mistake.
            return;
        }
        side.leave();
        side.release();
    }

    private void lastWords() {
        try {
            Peer peer = link.connect();
            Message _ = peer.call(message(Kind.SETTLED), LAST_WORDS);
            Message _ = peer.call(message(Kind.FORGET), LAST_WORDS);
        } catch (IOException e) {
            LOG.info("{}: the other node was not told of the end: {}", machine, e.getMessage());
        }
        end();
    }

    private MigrationReport rolledBack(@Nullable Peer peer, String reason) {
        enter(Phase.ROLLBACK);
        MigrationReport.Result result = MigrationReport.Result.STAYED;
        String why = reason;
        boolean ended = side.gone().isDone();
        try {
            side.release();
            stream = lastProgress();
            side.resume();
        } catch (IOException e) {
            result = MigrationReport.Result.LOST;
            why = reason + "; and the machine does not run here: " + e.getMessage();
        }
        long stoppedMillis = stoppedNanos == 0 ? 0 : (System.nanoTime() - stoppedNanos) / 1_000_000;
        try {
            Peer told = peer != null ? peer : link.connect();
            Message _ = told.call(message(Kind.WITHDRAW).with("reason", reason), LAST_WORDS);
            Message _ = told.call(message(Kind.FORGET), LAST_WORDS);
        } catch (IOException e) {
            LOG.info("{}: the other node was not told of the end: {}", machine, e.getMessage());
        }
        if (!ended && side.gone().isDone()) {
            result = MigrationReport.Result.LOST;
            why = reason + "; and then the source's QEMU ended";
        }
        end();
        watch.end();
        return new MigrationReport(
                result,
                why,
                watch.totalMillis(),
                watch.millis(),
                stoppedMillis,
                0,
                0,
                0,
                stateBytes,
                checkedBytes,
                checkMillis,
                side.deviceMarks(),
                stream,
                List.of());
    }

    private void end() {
        try {
            journal.delete();
        } catch (IOException e) {
            LOG.warn("{}: the journal stays: {}", machine, e.getMessage());
        }
    }

    private <T> T await(CompletableFuture<T> stage, @Nullable Duration deadline) throws IOException {
        return Await.the(stage, failed, deadline);
    }

    private Message message(String kind) {
        return Message.of(kind).with("migration", journal.id().toString());
    }

    private void enter(Phase phase) {
        watch.enter(phase);
        listener.phase(phase);
    }
}
