package io.fairlead.node.channel;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * A connection to another node. Either end asks and the other answers; several requests may be on their way. Both ends
 * show every second that they are alive, so that a cut line is noticed within {@link #SILENCE}. Thread-safe.
 */
public final class NodeChannel implements Peer, AutoCloseable {
    /** A peer of which nothing was heard for so long is gone. */
    public static final Duration SILENCE = Duration.ofSeconds(5);

    private static final Logger LOG = LoggerFactory.getLogger(NodeChannel.class);
    private static final long ALIVE_MILLIS = 1000;
    private static final String ALIVE = "alive";

    /** What a peer may ask at once; one that asks more breaks the protocol. */
    private static final int MAX_REQUESTS = 64;

    private final Socket socket;
    private final DataInputStream in;
    private final OutputStream out;
    private final Hello peer;
    private final RequestHandler handler;
    private final Object writeLock = new Object();
    private final Map<Long, CompletableFuture<Message>> pending = new ConcurrentHashMap<>();
    private final AtomicLong nextId = new AtomicLong(1);
    private final AtomicInteger asked = new AtomicInteger();
    private final CompletableFuture<IOException> end = new CompletableFuture<>();
    private final AtomicBoolean started = new AtomicBoolean();

    private NodeChannel(Socket socket, DataInputStream in, OutputStream out, Hello peer, RequestHandler handler) {
        this.socket = socket;
        this.in = in;
        this.out = out;
        this.peer = peer;
        this.handler = handler;
    }

    /**
     * Exchanges greetings over a socket that was accepted, and starts.
     *
     * @param socket the channel's from now on, closed also where this fails
     */
    public static NodeChannel accepted(Socket socket, Hello own, RequestHandler handler) throws IOException {
        return open(socket, own, handler, false);
    }

    /**
     * Exchanges greetings over a socket that was connected, and starts. The other side greets first: with TLS 1.3 it judges
     * our certificate when we think that all is well, and its refusal would be lost if we wrote meanwhile.
     *
     * @param socket the channel's from now on, closed also where this fails
     */
    public static NodeChannel connected(Socket socket, Hello own, RequestHandler handler) throws IOException {
        return open(socket, own, handler, true);
    }

    private static NodeChannel open(Socket socket, Hello own, RequestHandler handler, boolean peerFirst)
            throws IOException {
        try {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout((int) SILENCE.toMillis());
            OutputStream out = socket.getOutputStream();
            DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), 1 << 16));
            if (!peerFirst) {
                own.write(out);
            }
            Hello peer = Hello.read(in);
            if (peerFirst) {
                own.write(out);
            }
            NodeChannel channel = new NodeChannel(socket, in, out, peer, handler);
            channel.start();
            return channel;
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    private void start() {
        started.set(true);
        String name = "fairlead-node-" + peer.node();
        Thread _ = Thread.ofPlatform().daemon().name(name).start(this::read);
        Thread _ = Thread.ofVirtual().name(name + "-alive").start(this::showAlive);
    }

    /** Where the other node listens, by its own port and the address that it is seen at; null where it did not say. */
    public @Nullable InetSocketAddress peerListen() {
        int colon = peer.listen().lastIndexOf(':');
        try {
            int port = Integer.parseInt(peer.listen().substring(colon + 1));
            return port > 0 && port <= 0xffff ? new InetSocketAddress(socket.getInetAddress(), port) : null;
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** What the other node said of itself. */
    public Hello peer() {
        return peer;
    }

    /**
     * Asks.
     *
     * @return completed with the answer; with a {@link RefusedException} where the other node refuses, another
     *     IOException where the channel ended
     */
    @Override
    public CompletableFuture<Message> ask(Message request) {
        long id = nextId.getAndIncrement();
        CompletableFuture<Message> answer = new CompletableFuture<>();
        pending.put(id, answer);
        // The end fails what is pending once and then no more: look after the entry is in.
        IOException ended = end.getNow(null);
        if (ended != null) {
            answer.completeExceptionally(ended);
        } else {
            try {
                send(new Frame(id, false, null, request));
            } catch (IOException e) {
                finish(e);
            }
        }
        return answer.whenComplete((_, _) -> pending.remove(id));
    }

    /** Asks, and waits for the answer. */
    @Override
    public Message call(Message request, Duration deadline) throws IOException {
        CompletableFuture<Message> answer = ask(request);
        try {
            return answer.get(deadline.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            Throwable why = e.getCause() == null ? e : e.getCause();
            if (why instanceof RefusedException refused) {
                throw new RefusedException(String.valueOf(refused.getMessage()));
            }
            throw new IOException(
                    "the channel to node %s ended before the answer to '%s': %s"
                            .formatted(peer.node(), request.kind(), why.getMessage()),
                    why);
        } catch (TimeoutException e) {
            boolean _ = answer.cancel(false);
            throw new IOException(
                    "node " + peer.node() + " did not answer '" + request.kind() + "' within " + deadline.toMillis()
                            + " ms",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while node " + peer.node() + " was asked", e);
        }
    }

    @Override
    public CompletableFuture<IOException> end() {
        return end.copy();
    }

    public boolean isOpen() {
        return !end.isDone();
    }

    @Override
    public void close() {
        finish(new IOException("closed by this node"));
    }

    @Override
    public String toString() {
        return "channel to node " + peer.node();
    }

    private void send(Frame frame) throws IOException {
        synchronized (writeLock) {
            frame.write(out);
        }
    }

    private void showAlive() {
        try {
            while (isOpen()) {
                send(new Frame(0, false, null, Message.of(ALIVE)));
                Thread.sleep(ALIVE_MILLIS);
            }
        } catch (IOException e) {
            finish(e);
        } catch (InterruptedException e) {
            finish(new IOException("interrupted", e));
        }
    }

    private void read() {
        IOException reason;
        try {
            Frame frame = Frame.read(in, Frame.MAX_BYTES);
            while (frame != null) {
                dispatch(frame);
                frame = Frame.read(in, Frame.MAX_BYTES);
            }
            reason = new IOException("node " + peer.node() + " closed it");
        } catch (SocketTimeoutException e) {
            reason = new IOException(
                    "nothing was heard of node " + peer.node() + " for " + SILENCE.toSeconds() + " s", e);
        } catch (IOException e) {
            reason = e;
        } catch (RuntimeException | Error e) {
            LOG.error("the channel to node {} failed", peer.node(), e);
            reason = new IOException("unexpected failure of the reader", e);
        }
        finish(reason);
    }

    private void dispatch(Frame frame) throws IOException {
        if (frame.isReply()) {
            CompletableFuture<Message> waiting = pending.get(frame.id());
            if (waiting == null) {
                LOG.debug("an answer of node {} that nobody waits for", peer.node());
            } else if (frame.error() != null) {
                waiting.completeExceptionally(new RefusedException(frame.error()));
            } else {
                waiting.complete(frame.message());
            }
        } else if (frame.id() != 0) {
            if (asked.incrementAndGet() > MAX_REQUESTS) {
                throw new IOException("node " + peer.node() + " asks too much at once: the protocol is broken");
            }
            Thread _ = Thread.ofPlatform()
                    .daemon()
                    .name("fairlead-node-" + peer.node() + "-" + frame.message().kind())
                    .start(() -> answer(frame));
        }
    }

    private void answer(Frame request) {
        Frame answer;
        try {
            answer = new Frame(request.id(), true, null, handler.answer(this, request.message()));
        } catch (IOException | IllegalArgumentException e) {
            answer = refusal(request, String.valueOf(e.getMessage()));
        } catch (RuntimeException | Error e) {
            LOG.error("'{}' of node {} failed", request.message().kind(), peer.node(), e);
            answer = refusal(request, "an error in Fairlead itself: " + e);
        }
        asked.decrementAndGet();
        try {
            send(answer);
        } catch (IOException e) {
            finish(e);
        }
    }

    private static Frame refusal(Frame request, String why) {
        return new Frame(
                request.id(), true, why, new Message(request.message().kind(), JsonNodeFactory.instance.objectNode()));
    }

    private void finish(IOException reason) {
        if (!end.complete(reason)) {
            return;
        }
        try {
            socket.close();
        } catch (IOException e) {
            LOG.debug("closing the channel to node {} failed", peer.node(), e);
        }
        pending.values().forEach(waiting -> waiting.completeExceptionally(reason));
        handler.ended(this, reason);
    }
}
