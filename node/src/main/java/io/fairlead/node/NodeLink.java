package io.fairlead.node;

import io.fairlead.node.channel.Hello;
import io.fairlead.node.channel.NodeChannel;
import io.fairlead.node.channel.Peer;
import io.fairlead.node.channel.RequestHandler;
import io.fairlead.node.channel.Tls;
import io.fairlead.node.tls.NodeCertificates;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The way to one other node: a channel that is made again when it has ended. Thread-safe. */
final class NodeLink implements Peer.Link, AutoCloseable {
    private static final Duration DEADLINE = Duration.ofSeconds(5);

    private final String host;
    private final int port;
    private final NodeCertificates certificates;
    private final Hello own;
    private final RequestHandler handler;
    private @Nullable NodeChannel channel;

    NodeLink(String host, int port, NodeCertificates certificates, Hello own, RequestHandler handler) {
        this.host = host;
        this.port = port;
        this.certificates = certificates;
        this.own = own;
        this.handler = handler;
    }

    String host() {
        return host;
    }

    @Override
    public synchronized Peer connect() throws IOException {
        if (channel == null || !channel.isOpen()) {
            channel = Tls.connect(host, port, certificates, own, handler, DEADLINE);
        }
        return channel;
    }

    @Override
    public synchronized void close() {
        if (channel != null) {
            channel.close();
        }
    }
}
