package io.fairlead.vhostuser.server;

import io.fairlead.linux.UnixSocket;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vdpa.loop.Waiting;
import io.fairlead.vhostuser.protocol.Connection;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One device at one socket. A client that goes away may come back and is served again. While one is served, others wait
 * for their turn: the next one is often the same client, back before we noticed that it had gone. Thread-safe.
 */
public final class VhostUserEndpoint implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VhostUserEndpoint.class);

    /** Sessions need little stack; a thousand devices have a thousand of them. */
    private static final long STACK_BYTES = 256 * 1024;

    /** More than so many do not wait: they are turned away. */
    private static final int MAX_WAITING = 8;

    private static final long RETRY_NANOS = 100_000_000;

    private final VdpaDevice device;
    private final Path path;
    private final UnixSocket listener;
    private final EventLoop acceptor;
    private final Consumer<VhostUserEndpoint> onClose;

    private final RingGate gate = new RingGate();
    private final RingTimes ringTimes = new RingTimes();
    private final Deque<UnixSocket> waiting = new ArrayDeque<>();
    private @Nullable Session session;
    private @Nullable Thread thread;
    private long sessionCount;
    private @Nullable String lastEnd;
    private boolean closed;

    VhostUserEndpoint(
            VdpaDevice device,
            Path path,
            UnixSocket listener,
            EventLoop acceptor,
            Consumer<VhostUserEndpoint> onClose) {
        this.device = device;
        this.path = path;
        this.listener = listener;
        this.acceptor = acceptor;
        this.onClose = onClose;
    }

    public VdpaDevice device() {
        return device;
    }

    public Path path() {
        return path;
    }

    /** Whether a client is connected. */
    public synchronized boolean isConnected() {
        return session != null;
    }

    /** How long the device took to start and stop rings. */
    public RingTimes ringTimes() {
        return ringTimes;
    }

    /** How many clients were served so far, one that is connected included. */
    public synchronized long sessionCount() {
        return sessionCount;
    }

    /** Why the last session ended; null where none has. */
    public synchronized @Nullable String lastEnd() {
        return lastEnd;
    }

    /**
     * The guest's memory as the client shows it now, also while its rings are stopped; without regions where no client is
     * there or it has shown none yet. Stays mapped until the caller's {@link MemoryTable#release}.
     */
    public synchronized MemoryTable retainedMemory() {
        return session == null ? new MemoryTable(List.of()) : session.retainedMemory();
    }

    /**
     * Keeps every client from starting rings, until {@link #releaseRings}: for a machine that may run elsewhere. Rings that
     * run go on. The caller hands the device's state on: a client that asks for it is told so and no more, and one that
     * brings that to another device gives it nothing.
     */
    public void holdRings() {
        gate.hold();
    }

    /** Ends {@link #holdRings}. */
    public void releaseRings() {
        gate.release();
    }

    /** A client is there. On the acceptor's thread. */
    synchronized void accept() {
        try {
            UnixSocket client = listener.accept();
            if (closed || waiting.size() == MAX_WAITING) {
                LOG.warn("{}: a client at {} was turned away", device.name(), path);
                client.close();
            } else if (session != null) {
                LOG.info("{}: a client at {} waits until another has gone", device.name(), path);
                waiting.add(client);
            } else {
                start(client);
            }
        } catch (IOException e) {
            LOG.warn("{}: no client accepted at {}: {}", device.name(), path, e.getMessage());
            // The listener stays ready, so that the next try follows at once: out of descriptors, that would be a
            // storm.
            LockSupport.parkNanos(RETRY_NANOS);
        }
    }

    private void start(UnixSocket client) {
        LOG.info("{}: client connected", device.name());
        Session started = new Session(device, new Connection(client), gate, ringTimes);
        session = started;
        sessionCount++;
        thread = Thread.ofPlatform()
                .daemon()
                .name("fairlead-" + device.name())
                .stackSize(STACK_BYTES)
                .start(() -> ended(started.run()));
    }

    private synchronized void ended(String reason) {
        LOG.info("{}: session ended: {}", device.name(), reason);
        lastEnd = reason;
        session = null;
        UnixSocket next = closed ? null : waiting.poll();
        if (next != null) {
            start(next);
        }
    }

    /** Ends the client's session, removes the socket, and leaves the device reset. Again: no effect. */
    @Override
    public void close() throws IOException {
        Thread ending;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            waiting.forEach(UnixSocket::close);
            waiting.clear();
            if (session != null) {
                session.shutdown();
            }
            ending = thread;
        }
        gate.release();
        acceptor.call(() -> {
            acceptor.unregister(listener.fd().raw());
            return true;
        });
        listener.close();
        if (ending != null) {
            Waiting.join(ending);
        }
        onClose.accept(this);
    }
}
