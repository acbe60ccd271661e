package io.fairlead.qemu;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A client of QEMU's machine protocol over a Unix socket, of a QEMU that we started or another's. A socket of QEMU serves
 * one client at a time; the next one waits for its greeting. One reader thread takes answers and events; any thread may
 * execute commands. A peer that breaks the protocol, or sends a message above {@link #MAX_MESSAGE_BYTES}, ends the
 * connection: every waiting command then fails with an IOException.
 */
public final class Qmp implements AutoCloseable {
    /** No message of QEMU is longer; a longer one ends the connection. */
    public static final int MAX_MESSAGE_BYTES = 16 << 20;

    /** How long {@link #execute} waits for an answer. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(60);

    private static final Logger LOG = LoggerFactory.getLogger(Qmp.class);
    private static final JsonMapper JSON = new JsonMapper();
    private static final int EVENTS_KEPT = 4096;

    private final SocketChannel channel;
    private final QmpFraming framing;
    private final Object writeLock = new Object();
    private final Map<String, CompletableFuture<JsonNode>> pending = new ConcurrentHashMap<>();
    private final CompletableFuture<JsonNode> greeting = new CompletableFuture<>();
    private final CompletableFuture<IOException> end = new CompletableFuture<>();
    private final AtomicLong nextId = new AtomicLong();
    private final History<QmpEvent> events = new History<>(EVENTS_KEPT);
    private final Thread reader;

    private Qmp(SocketChannel channel) {
        this.channel = channel;
        this.framing = new QmpFraming(channel, MAX_MESSAGE_BYTES);
        this.reader = Thread.ofPlatform().daemon().name("qmp-reader").unstarted(this::read);
    }

    /**
     * Connects, waits for the greeting and leaves the negotiation mode.
     *
     * @param timeout for greeting and negotiation each
     */
    public static Qmp connect(Path socket, Duration timeout) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Qmp qmp = new Qmp(channel);
        try {
            channel.connect(UnixDomainSocketAddress.of(socket));
            qmp.reader.start();
            qmp.await(qmp.greeting, "greeting", timeout);
            JsonNode _ = qmp.execute("qmp_capabilities", Map.of(), timeout);
            return qmp;
        } catch (IOException | RuntimeException e) {
            qmp.close();
            throw e;
        }
    }

    /** Executes a command without arguments and returns QEMU's answer. */
    public JsonNode execute(String command) throws IOException {
        return execute(command, Map.of(), DEFAULT_TIMEOUT);
    }

    /** Executes a command and returns QEMU's answer. */
    public JsonNode execute(String command, Map<String, ?> arguments) throws IOException {
        return execute(command, arguments, DEFAULT_TIMEOUT);
    }

    /**
     * Executes a command and returns QEMU's answer.
     *
     * @param arguments what Jackson can write: text, numbers, booleans, maps, lists, nodes
     * @throws QmpException where QEMU refuses it
     * @throws IOException where the connection is or gets closed, or time runs out
     */
    public JsonNode execute(String command, Map<String, ?> arguments, Duration timeout) throws IOException {
        String id = "f" + nextId.getAndIncrement();
        ObjectNode message = JSON.createObjectNode();
        message.put("execute", command);
        message.put("id", id);
        if (!arguments.isEmpty()) {
            message.set("arguments", JSON.valueToTree(arguments));
        }
        CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        pending.put(id, answer);
        try {
            // The reader fails what is pending once and then no more: look after the entry is in.
            IOException ended = end.getNow(null);
            if (ended != null) {
                throw new IOException("The monitor connection is closed: " + ended.getMessage(), ended);
            }
            send(message);
            return result(command, await(answer, command, timeout));
        } finally {
            pending.remove(id);
        }
    }

    /** Calls a listener for every event from now on, on the reader's thread; run the answer to stop that. */
    public Runnable addListener(Consumer<QmpEvent> listener) {
        return events.listen(event -> {
            try {
                listener.accept(event);
            } catch (RuntimeException e) {
                LOG.warn("A listener failed on QEMU's event {}", event.name(), e);
            }
        });
    }

    /** A mark in the stream of events, for {@link #awaitEvent}: those that arrive from now on. */
    public long eventMark() {
        return events.position();
    }

    /** The events since a mark; the latest few thousand are kept. */
    public List<QmpEvent> eventsSince(long mark) {
        return events.from(mark);
    }

    /**
     * Waits for the first event since a mark that fits.
     *
     * @return nothing where time ran out or the connection ended first
     */
    public Optional<QmpEvent> awaitEvent(long mark, Predicate<QmpEvent> wanted, Duration timeout)
            throws InterruptedException {
        return Optional.ofNullable(events.await(mark, wanted, timeout));
    }

    /** Runs something when the connection has ended, at once where it has; on the thread that ends it. */
    public void whenClosed(Runnable action) {
        CompletableFuture<Void> _ = end.thenRun(action);
    }

    /** Whether commands can still be executed. */
    public boolean isOpen() {
        return !end.isDone();
    }

    @Override
    public void close() {
        finish(new IOException("closed by us"));
    }

    private void send(ObjectNode message) throws IOException {
        ByteBuffer bytes =
                ByteBuffer.wrap((JSON.writeValueAsString(message) + "\r\n").getBytes(StandardCharsets.UTF_8));
        synchronized (writeLock) {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }

    private JsonNode await(CompletableFuture<JsonNode> answer, String what, Duration timeout) throws IOException {
        try {
            return answer.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new IOException("No answer from QEMU's monitor to " + what + " within " + timeout, e);
        } catch (ExecutionException e) {
            throw new IOException(
                    "QEMU's monitor connection ended before the answer to " + what + ": "
                            + String.valueOf(e.getCause()),
                    e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while waiting for QEMU's monitor to answer " + what, e);
        }
    }

    private static JsonNode result(String command, JsonNode answer) throws QmpException {
        JsonNode error = answer.get("error");
        if (error != null) {
            throw new QmpException(
                    command,
                    error.path("class").asString("GenericError"),
                    error.path("desc").asString(error.toString()));
        }
        return answer.path("return");
    }

    private void read() {
        IOException why = new IOException("QEMU closed it");
        try {
            String line = framing.next();
            while (line != null) {
                dispatch(line);
                line = framing.next();
            }
        } catch (IOException e) {
            why = e;
        } catch (RuntimeException e) {
            why = new IOException("unexpected failure of the reader", e);
        } finally {
            finish(why);
        }
    }

    private void dispatch(String line) throws IOException {
        JsonNode message;
        try {
            message = JSON.readTree(line);
        } catch (JacksonException | StackOverflowError e) {
            throw new IOException("not JSON: " + abbreviated(line), e);
        }
        if (!message.isObject()) {
            throw new IOException("not a message of QMP: " + abbreviated(line));
        }
        if (message.has("event")) {
            events.add(event(message));
        } else if (message.has("QMP")) {
            greeting.complete(message);
        } else if (message.has("return") || message.has("error")) {
            answer(message, line);
        } else {
            throw new IOException("not a message of QMP: " + abbreviated(line));
        }
    }

    private void answer(JsonNode message, String line) {
        @Nullable
        CompletableFuture<JsonNode> waiting = pending.get(message.path("id").asString(""));
        if (waiting == null) {
            // An answer that came after its command gave up waiting.
            LOG.debug("An answer without a waiting command: {}", abbreviated(line));
        } else {
            waiting.complete(message);
        }
    }

    private QmpEvent event(JsonNode message) {
        JsonNode timestamp = message.path("timestamp");
        long seconds = timestamp.path("seconds").asLong(0);
        long micros = timestamp.path("microseconds").asLong(0);
        JsonNode data = message.path("data");
        return new QmpEvent(
                message.path("event").asString(""),
                data.isObject() ? data : JSON.createObjectNode(),
                seconds > 0 && seconds < Integer.MAX_VALUE * 2L ? seconds * 1_000_000 + micros : 0);
    }

    private void finish(IOException why) {
        end.complete(why);
        IOException first = end.join();
        greeting.completeExceptionally(first);
        pending.values().forEach(waiting -> waiting.completeExceptionally(first));
        events.end();
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("Closing the monitor connection failed", e);
        }
    }

    private static String abbreviated(String line) {
        return line.length() <= 200 ? line : line.substring(0, 200) + "...";
    }
}
