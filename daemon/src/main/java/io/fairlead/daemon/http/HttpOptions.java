package io.fairlead.daemon.http;

import io.fairlead.node.tls.NodeCertificates;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * Where a server listens, and its limits.
 *
 * @param socket the Unix socket, of mode 0600
 * @param group whose members may use it too: mode 0660
 * @param listen where it listens by TCP, port 0 for any
 * @param certificates for TCP, by mutual TLS
 * @param maxConnections of a listener
 * @param maxBodyBytes of a request
 * @param idleTime after which a connection on which nothing moves is closed
 * @param requestTime in which a request's header and body have to have come
 */
public record HttpOptions(
        Path socket,
        Optional<String> group,
        Optional<InetSocketAddress> listen,
        Optional<NodeCertificates> certificates,
        int maxConnections,
        int maxBodyBytes,
        Duration idleTime,
        Duration requestTime) {
    public HttpOptions {
        if (listen.isPresent() && certificates.isEmpty()) {
            throw new IllegalArgumentException(
                    "listening at %s needs certificates: make them by 'fairlead certificates create'"
                            .formatted(listen.get()));
        }
    }

    /** A server at a Unix socket, with the limits of a daemon. */
    public static HttpOptions at(Path socket) {
        return new HttpOptions(
                socket,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                256,
                1 << 20,
                Duration.ofSeconds(60),
                Duration.ofSeconds(10));
    }

    /** The same with a group. */
    public HttpOptions forGroup(String name) {
        return new HttpOptions(
                socket, Optional.of(name), listen, certificates, maxConnections, maxBodyBytes, idleTime, requestTime);
    }

    /** The same, listening by TCP too. */
    public HttpOptions listening(InetSocketAddress address, NodeCertificates own) {
        return new HttpOptions(
                socket,
                group,
                Optional.of(address),
                Optional.of(own),
                maxConnections,
                maxBodyBytes,
                idleTime,
                requestTime);
    }

    /** The same with other limits of time. */
    public HttpOptions within(Duration idle, Duration request) {
        return new HttpOptions(socket, group, listen, certificates, maxConnections, maxBodyBytes, idle, request);
    }
}
