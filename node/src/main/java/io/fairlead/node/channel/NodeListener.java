package io.fairlead.node.channel;

import io.fairlead.node.tls.NodeCertificates;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.function.IntFunction;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for other nodes. Nothing of what a stranger sends is read before its certificate was verified. Thread-safe.
 */
public final class NodeListener implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NodeListener.class);

    /** Connections whose certificate is being verified; more wait in the kernel. */
    private static final int MAX_GREETING = 16;

    private static final long PAUSE_MILLIS = 100;

    private final SSLServerSocket socket;
    private final Hello own;
    private final RequestHandler handler;
    private final Semaphore greeting = new Semaphore(MAX_GREETING);
    private final Set<NodeChannel> channels = ConcurrentHashMap.newKeySet();
    private final Thread acceptor;

    /** @param address where to listen; port 0 chooses one */
    public NodeListener(
            InetSocketAddress address, NodeCertificates certificates, IntFunction<Hello> own, RequestHandler handler)
            throws IOException {
        this.handler = handler;
        socket = certificates.newServerSocket();
        try {
            socket.setReuseAddress(true);
            socket.bind(address);
        } catch (IOException e) {
            socket.close();
            throw new IOException("node cannot listen at " + address + ": " + e.getMessage(), e);
        }
        this.own = own.apply(socket.getLocalPort());
        acceptor = Thread.ofPlatform().daemon().name("fairlead-node-listener").start(this::accept);
    }

    public int port() {
        return socket.getLocalPort();
    }

    private void accept() {
        while (!socket.isClosed()) {
            try {
                greeting.acquire();
                SSLSocket accepted = (SSLSocket) socket.accept();
                if (socket.isClosed()) {
                    closeQuietly(accepted);
                    return;
                }
                Thread _ = Thread.ofPlatform()
                        .daemon()
                        .name("fairlead-node-greeting")
                        .start(() -> greet(accepted));
            } catch (IOException e) {
                greeting.release();
                if (!socket.isClosed()) {
                    LOG.warn("no node accepted: {}", e.getMessage());
                    pause();
                }
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void greet(SSLSocket accepted) {
        try {
            accepted.setSoTimeout((int) NodeChannel.SILENCE.toMillis());
            accepted.startHandshake();
            NodeChannel channel = NodeChannel.accepted(accepted, own, handler);
            channels.add(channel);
            var _ = channel.end().thenRun(() -> channels.remove(channel));
            if (socket.isClosed()) {
                channel.close();
            }
        } catch (IOException e) {
            LOG.warn("a connection from {} was refused: {}", accepted.getRemoteSocketAddress(), Tls.reason(e));
            closeQuietly(accepted);
        } finally {
            greeting.release();
        }
    }

    private static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            LOG.debug("closing a refused connection failed", e);
        }
    }

    /** Stops listening and ends the channels that came this way. Who connects after that is refused. */
    @Override
    public void close() throws IOException {
        socket.close();
        // the kernel goes on listening for as long as the accepting thread is inside its call
        acceptor.interrupt();
        joinAcceptor();
        channels.forEach(NodeChannel::close);
    }

    private void joinAcceptor() {
        try {
            acceptor.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
