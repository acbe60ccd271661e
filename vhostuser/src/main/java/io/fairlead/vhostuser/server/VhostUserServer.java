package io.fairlead.vhostuser.server;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The vhost-user front-end: presents devices to machines, each at a Unix socket of its own. One thread waits for clients
 * of all sockets; a connected client has a thread of its own, so that a slow change of one device holds up no other.
 * Thread-safe.
 */
public final class VhostUserServer implements AutoCloseable {
    /** Only the owner may connect. */
    private static final int SOCKET_MODE = 0600;

    private final EventLoop acceptor;
    private final List<VhostUserEndpoint> endpoints = new CopyOnWriteArrayList<>();

    public VhostUserServer() throws IOException {
        acceptor = new EventLoop("fairlead-vhost-user");
    }

    /**
     * Presents a device at a socket, to one client at a time, as often as one comes.
     *
     * @param device used by the front-end alone until the endpoint is closed; stays the caller's
     * @param path where the socket is made, with mode 0600; a dead socket there is replaced
     * @throws IOException where somebody answers at that path, or something else than a socket is there
     */
    public VhostUserEndpoint serve(VdpaDevice device, Path path) throws IOException {
        UnixSocket listener = UnixSocket.listen(path, SOCKET_MODE);
        VhostUserEndpoint endpoint = new VhostUserEndpoint(device, path, listener, acceptor, endpoints::remove);
        endpoints.add(endpoint);
        acceptor.call(() -> {
            acceptor.register(listener.fd().raw(), Epoll.EPOLLIN, events -> endpoint.accept());
            return true;
        });
        return endpoint;
    }

    public List<VhostUserEndpoint> endpoints() {
        return List.copyOf(endpoints);
    }

    /** Closes all endpoints, then stops listening. */
    @Override
    public void close() throws IOException {
        IOException first = null;
        for (VhostUserEndpoint endpoint : new ArrayList<>(endpoints)) {
            try {
                endpoint.close();
            } catch (IOException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        acceptor.close();
        if (first != null) {
            throw first;
        }
    }
}
