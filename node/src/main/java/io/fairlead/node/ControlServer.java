package io.fairlead.node;

import io.fairlead.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The node's control socket: one thread waits for commands, each of which has a connection of its own. Thread-safe. */
final class ControlServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ControlServer.class);
    private static final int SOCKET_MODE = 0600;
    private static final int MAX_CONNECTIONS = 64;

    private final Node node;
    private final UnixSocket listener;
    private final Set<ControlConnection> connections = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    ControlServer(Node node, Path path) throws IOException {
        this.node = node;
        listener = UnixSocket.listen(path, SOCKET_MODE);
        Thread _ = Thread.ofPlatform().daemon().name("fairlead-control").start(this::accept);
    }

    private void accept() {
        while (!closed) {
            try {
                UnixSocket client = listener.accept();
                if (connections.size() == MAX_CONNECTIONS) {
                    LOG.warn("a control connection was turned away: {} are open", MAX_CONNECTIONS);
                    client.close();
                    continue;
                }
                ControlConnection connection = new ControlConnection(node, client);
                connections.add(connection);
                Thread _ = Thread.ofPlatform()
                        .daemon()
                        .name("fairlead-control-client")
                        .start(() -> {
                            connection.run();
                            connections.remove(connection);
                        });
            } catch (IOException e) {
                if (!closed) {
                    LOG.error("the control socket failed and takes no commands any more: {}", e.getMessage());
                }
                return;
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        connections.forEach(ControlConnection::shutdown);
        listener.shutdown();
        listener.close();
    }
}
