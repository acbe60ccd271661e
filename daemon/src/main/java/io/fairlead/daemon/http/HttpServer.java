package io.fairlead.daemon.http;

import java.net.InetSocketAddress;
import java.util.Optional;

/** Serves an API at a Unix socket and, by mutual TLS, over TCP. Thread-safe. */
public interface HttpServer extends AutoCloseable {
    /** Where it listens by TCP, with its real port. */
    Optional<InetSocketAddress> listening();

    /** Stops listening, ends event streams, waits a moment for requests, and removes the socket. */
    @Override
    void close();
}
