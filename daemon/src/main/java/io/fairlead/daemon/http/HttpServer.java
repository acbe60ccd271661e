package io.fairlead.daemon.http;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/** Serves an API at a Unix socket and, by mutual TLS, over TCP. Thread-safe. */
public interface HttpServer extends AutoCloseable {
    /**
     * Starts to listen. A socket that a daemon left behind when it died is replaced.
     *
     * @throws IOException where it cannot listen: another daemon does, the group does not exist, the port is taken
     * @throws IllegalArgumentException where the API's routes contradict each other or name a schema that is not there
     */
    static HttpServer start(HttpOptions options, Api api, RequestWatcher watcher) throws IOException {
        List<ObjectNode> document = new ArrayList<>();
        List<Route> routes = new ArrayList<>(api.routes());
        routes.add(Route.get("/v1/openapi.json", "This document")
                .answers(200, "application/json")
                .by(_ -> Response.ok(document.getFirst())));
        Api whole = new Api(api.version(), routes, api.schemas());
        document.add(OpenApi.document(whole));
        JettyServer server = new JettyServer(options, whole, watcher);
        server.start();
        return server;
    }

    /** Where it listens by TCP, with its real port. */
    Optional<InetSocketAddress> listening();

    /** Stops listening, ends event streams, waits two seconds for requests, and removes the socket. */
    @Override
    void close();
}
