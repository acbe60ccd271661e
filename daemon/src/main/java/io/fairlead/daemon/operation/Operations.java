package io.fairlead.daemon.operation;

import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.store.Change;
import io.fairlead.daemon.store.StateStore;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The operations of a daemon. Each is written down when it begins and when it ends; one that was not ended when the daemon
 * was killed is told as failed by the next one. An object has one operation at a time. Thread-safe.
 */
public final class Operations implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Operations.class);
    private static final String PREFIX = "operation/";
    private static final int KEPT = 1000;
    private static final Duration CLOSE_PATIENCE = Duration.ofSeconds(30);

    private final StateStore store;
    private final EventLog events;
    private final InstantSource clock;
    private final NavigableMap<Long, Operation> running = new TreeMap<>();

    /** Ended ones, as they were written down. */
    private final NavigableMap<Long, ObjectNode> ended = new TreeMap<>();

    private final Set<String> busy = new HashSet<>();
    private long nextId = 1;
    private boolean closed;

    /**
     * Takes up what is written down.
     *
     * @throws IOException where it cannot be written that those that ran have failed
     */
    public Operations(StateStore store, EventLog events, InstantSource clock) throws IOException {
        this.store = store;
        this.events = events;
        this.clock = clock;
        for (Map.Entry<String, ObjectNode> entry : store.list(PREFIX).entrySet()) {
            long id = Long.parseLong(entry.getKey());
            ObjectNode written = entry.getValue();
            if (written.path("state").asString("").equals(OperationState.RUNNING.word())) {
                written.put("state", OperationState.FAILED.word());
                written.put("endedAt", clock.instant().toString());
                written.set("error", error("interrupted", "the daemon ended while it ran; see what the object is now"));
                store.commit(Change.ofPut(key(id), written));
                LOG.warn(
                        "operation {} ({} of {}) was interrupted by the daemon's end",
                        id,
                        written.path("kind").asString(""),
                        written.path("object").asString(""));
            }
            ended.put(id, written);
            nextId = Math.max(nextId, id + 1);
        }
    }

    private static String key(long id) {
        // The order of the keys is that of the numbers.
        return PREFIX + "%016d".formatted(id);
    }

    /**
     * Begins an operation, on a thread of its own.
     *
     * @param object that nobody else works on until it ends
     * @throws ApiException where somebody works on it
     */
    public Operation begin(String kind, String object, Work work) throws ApiException, IOException {
        Operation operation;
        synchronized (this) {
            if (closed) {
                throw ApiException.unavailable("the daemon is about to end", "repeat it when it is back");
            }
            takeObject(object);
            try {
                long id = nextId;
                Operation[] self = new Operation[1];
                operation = new Operation(id, kind, object, clock.instant(), () -> changed(self[0]));
                self[0] = operation;
                store.commit(forgetting(Change.ofPut(key(id), operation.json())));
                running.put(id, operation);
                nextId++;
            } catch (IOException | RuntimeException e) {
                busy.remove(object);
                throw e;
            }
        }
        events.publish("operation-started", object, "%s began".formatted(kind), operation.json());
        Thread _ =
                Thread.ofVirtual().name("fairlead-operation-" + operation.id()).start(() -> run(operation, work));
        return operation;
    }

    private void takeObject(String object) throws ApiException {
        if (!busy.add(object)) {
            String other = running.values().stream()
                    .filter(operation -> operation.object().equals(object))
                    .map(operation -> "operation %d (%s)".formatted(operation.id(), operation.kind()))
                    .findFirst()
                    .orElse("another request");
            throw ApiException.conflict(
                    "%s is in %s".formatted(object.replaceFirst("/", " "), other), "wait for its end, or cancel it");
        }
    }

    /** Short work that must not meet an operation on the same object; nothing is written down. */
    public <T> T exclusively(String object, Exclusive<T> work) throws Exception {
        synchronized (this) {
            takeObject(object);
        }
        try {
            return work.run();
        } finally {
            synchronized (this) {
                busy.remove(object);
            }
        }
    }

    /** Work on an object that is the caller's alone. */
    @FunctionalInterface
    public interface Exclusive<T> {
        /** Does it. */
        T run() throws Exception;
    }

    private void run(Operation operation, Work work) {
        OperationState last = OperationState.DONE;
        ObjectNode result = null;
        ObjectNode error = null;
        try {
            result = work.run(operation);
        } catch (CancelledException e) {
            last = OperationState.CANCELLED;
            error = error("cancelled", String.valueOf(e.getMessage()));
        } catch (ApiException e) {
            last = OperationState.FAILED;
            error = error(e.code(), String.valueOf(e.getMessage()));
            if (e.remedy() != null) {
                error.put("remedy", e.remedy());
            }
        } catch (IOException | IllegalArgumentException | IllegalStateException e) {
            last = OperationState.FAILED;
            error = error("failed", String.valueOf(e.getMessage()));
        } catch (Exception | Error e) {
            LOG.error("operation {} ({} of {})", operation.id(), operation.kind(), operation.object(), e);
            last = OperationState.FAILED;
            error = error("internal", "an error in Fairlead itself: " + e);
        }
        end(operation, last, result, error);
    }

    private void end(
            Operation operation, OperationState last, @Nullable ObjectNode result, @Nullable ObjectNode error) {
        operation.end(last, result, error, clock);
        ObjectNode json = operation.json();
        synchronized (this) {
            try {
                store.commit(Change.ofPut(key(operation.id()), json));
            } catch (IOException e) {
                LOG.error("operation {}: its end is not written down: {}", operation.id(), e.getMessage());
            }
            running.remove(operation.id());
            ended.put(operation.id(), json);
            busy.remove(operation.object());
        }
        String why = operation.errorMessage();
        if (last == OperationState.FAILED) {
            LOG.warn("{} of {} failed: {}", operation.kind(), operation.object(), why);
        }
        operation.announceEnd();
        events.publish(
                "operation-ended",
                operation.object(),
                "%s %s%s".formatted(operation.kind(), last.word(), why.isEmpty() ? "" : ": " + why),
                json);
    }

    private void changed(Operation operation) {
        if (operation.state() == OperationState.RUNNING) {
            events.publish("operation-progress", operation.object(), operation.kind(), operation.json());
        }
    }

    private static ObjectNode error(String code, String message) {
        return JsonNodeFactory.instance.objectNode().put("code", code).put("message", message);
    }

    /** The oldest that have ended make place. */
    private Change forgetting(Change change) {
        while (ended.size() >= KEPT) {
            change.delete(key(ended.firstKey()));
            ended.pollFirstEntry();
        }
        return change;
    }

    /** All that are kept, newest first. */
    public synchronized List<ObjectNode> list() {
        NavigableMap<Long, ObjectNode> all = new TreeMap<>(ended);
        running.forEach((id, operation) -> all.put(id, operation.json()));
        return new ArrayList<>(all.descendingMap().values());
    }

    /** One of an id. */
    public synchronized Optional<ObjectNode> find(long id) {
        Operation operation = running.get(id);
        return operation == null
                ? Optional.ofNullable(ended.get(id)).map(ObjectNode::deepCopy)
                : Optional.of(operation.json());
    }

    /** One of an id that runs. */
    public synchronized Optional<Operation> running(long id) {
        return Optional.ofNullable(running.get(id));
    }

    /** The one that works on an object. */
    public synchronized Optional<Operation> of(String object) {
        Collection<Operation> all = running.values();
        return all.stream()
                .filter(operation -> operation.object().equals(object))
                .findFirst();
    }

    /**
     * Asks for one to be taken back.
     *
     * @throws ApiException where it has ended or cannot be
     */
    public void cancel(long id) throws ApiException {
        Optional<Operation> operation = running(id);
        if (operation.isEmpty()) {
            if (find(id).isEmpty()) {
                throw ApiException.notFound("operation %d: there is none".formatted(id));
            }
            throw ApiException.conflict("operation %d has ended".formatted(id), null);
        }
        if (!operation.get().cancel()) {
            throw ApiException.conflict(
                    "operation %d (%s of %s) cannot be cancelled now"
                            .formatted(
                                    id, operation.get().kind(), operation.get().object()),
                    "wait for its end");
        }
    }

    /** Begins none any more, asks those that run for their end, and waits a while for it. */
    @Override
    public void close() {
        List<Operation> left;
        synchronized (this) {
            closed = true;
            left = List.copyOf(running.values());
        }
        left.forEach(Operation::cancel);
        long end = System.nanoTime() + CLOSE_PATIENCE.toNanos();
        for (Operation operation : left) {
            try {
                if (!operation.awaitEnd(Duration.ofNanos(Math.max(0, end - System.nanoTime())))) {
                    LOG.warn(
                            "operation {} ({} of {}) is left unfinished",
                            operation.id(),
                            operation.kind(),
                            operation.object());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }
}
