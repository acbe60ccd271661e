package io.fairlead.daemon.operation;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** One operation, as it is now. Thread-safe. */
public final class Operation implements Progress {
    private static final int MAX_NOTES = 100;

    private final long id;
    private final String kind;
    private final String object;
    private final Instant startedAt;
    private final Runnable watcher;
    private final List<String> notes = new ArrayList<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private OperationState state = OperationState.RUNNING;
    private String phase = "";
    private @Nullable ObjectNode progress;
    private @Nullable ObjectNode error;
    private @Nullable ObjectNode result;
    private @Nullable Instant endedAt;
    private @Nullable BooleanSupplier cancel;

    /** @param watcher told of every change, on the changing thread, without locks held */
    Operation(long id, String kind, String object, Instant startedAt, Runnable watcher) {
        this.id = id;
        this.kind = kind;
        this.object = object;
        this.startedAt = startedAt;
        this.watcher = watcher;
    }

    /** Unique in this daemon; a later one has a greater one. */
    public long id() {
        return id;
    }

    public String kind() {
        return kind;
    }

    /** As {@code machine/vm0}. */
    public String object() {
        return object;
    }

    public synchronized OperationState state() {
        return state;
    }

    /** What was wrong; empty where nothing was. */
    public synchronized String errorMessage() {
        return error == null ? "" : error.path("message").asString("");
    }

    @Override
    public void phase(String name) {
        synchronized (this) {
            phase = name;
        }
        watcher.run();
    }

    @Override
    public void note(String text) {
        synchronized (this) {
            if (notes.size() == MAX_NOTES) {
                notes.removeFirst();
            }
            notes.add(text);
        }
        watcher.run();
    }

    @Override
    public void progress(ObjectNode numbers) {
        synchronized (this) {
            progress = numbers;
        }
        watcher.run();
    }

    @Override
    public synchronized void cancellable(BooleanSupplier how) {
        cancel = how;
    }

    /** Asks for it to be taken back; false where it cannot be, or not any more. */
    boolean cancel() {
        BooleanSupplier how;
        synchronized (this) {
            how = state == OperationState.RUNNING ? cancel : null;
        }
        return how != null && how.getAsBoolean();
    }

    /** Its end, once; seen by those who wait after {@link #announceEnd}. */
    synchronized void end(
            OperationState last, @Nullable ObjectNode itsResult, @Nullable ObjectNode itsError, InstantSource clock) {
        state = last;
        result = itsResult;
        error = itsError;
        endedAt = clock.instant();
        cancel = null;
    }

    void announceEnd() {
        ended.countDown();
        watcher.run();
    }

    /**
     * Waits for its end.
     *
     * @return false where time ran out
     */
    public boolean awaitEnd(Duration timeout) throws InterruptedException {
        return ended.await(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** As the API shows it and as it is written down. */
    public synchronized ObjectNode json() {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("id", Long.toString(id));
        node.put("kind", kind);
        node.put("object", object);
        node.put("state", state.word());
        node.put("phase", phase);
        node.set("progress", progress == null ? null : progress.deepCopy());
        var list = node.putArray("notes");
        notes.forEach(list::add);
        node.set("error", error == null ? null : error.deepCopy());
        node.set("result", result == null ? null : result.deepCopy());
        node.put("startedAt", startedAt.toString());
        node.put("endedAt", endedAt == null ? null : endedAt.toString());
        return node;
    }
}
