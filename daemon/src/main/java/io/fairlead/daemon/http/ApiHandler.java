package io.fairlead.daemon.http;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes requests from Jetty, checks them against their routes, and writes the answers. Thread-safe. */
final class ApiHandler extends org.eclipse.jetty.server.Handler.Abstract {
    private static final Logger LOG = LoggerFactory.getLogger(ApiHandler.class);
    private static final Duration HEARTBEAT = Duration.ofSeconds(15);

    private final RouteTable routes;
    private final int maxBodyBytes;
    private final Function<Connector, ConnectionGuard> guards;
    private final Function<EndPoint, Caller> callers;
    private final RequestWatcher watcher;
    private final Set<EventStream> streams = ConcurrentHashMap.newKeySet();
    private volatile boolean stopping;

    ApiHandler(
            RouteTable routes,
            int maxBodyBytes,
            Function<Connector, ConnectionGuard> guards,
            Function<EndPoint, Caller> callers,
            RequestWatcher watcher) {
        this.routes = routes;
        this.maxBodyBytes = maxBodyBytes;
        this.guards = guards;
        this.callers = callers;
        this.watcher = watcher;
    }

    /** Ends the event streams; no new ones begin. */
    void endStreams() {
        stopping = true;
        streams.forEach(EventStream::close);
    }

    @Override
    public boolean handle(
            org.eclipse.jetty.server.Request request, org.eclipse.jetty.server.Response response, Callback callback) {
        long begin = System.nanoTime();
        var meta = request.getConnectionMetaData();
        ConnectionGuard guard = guards.apply(meta.getConnector());
        ConnectionGuard.Tracked tracked = guard.begin(meta.getConnection().getEndPoint());
        if (tracked == null) {
            callback.failed(new IOException("the connection was dropped for another one"));
            return true;
        }
        org.eclipse.jetty.server.Request.addCompletionListener(request, _ -> guard.end(tracked));
        Exchange exchange = new Exchange(request, response, guard, tracked);
        @Nullable Throwable failure = exchange.run();
        Duration time = Duration.ofNanos(System.nanoTime() - begin);
        exchange.report(time);
        if (failure == null) {
            callback.succeeded();
        } else {
            callback.failed(failure);
        }
        return true;
    }

    /** One request and its answer, on the request's thread. */
    private final class Exchange {
        private final org.eclipse.jetty.server.Request request;
        private final org.eclipse.jetty.server.Response response;
        private final ConnectionGuard guard;
        private final ConnectionGuard.Tracked tracked;
        private final Caller caller;
        private final String path;
        private @Nullable Route route;
        private @Nullable String problem;

        Exchange(
                org.eclipse.jetty.server.Request request,
                org.eclipse.jetty.server.Response response,
                ConnectionGuard guard,
                ConnectionGuard.Tracked tracked) {
            this.request = request;
            this.response = response;
            this.guard = guard;
            this.tracked = tracked;
            path = String.valueOf(request.getHttpURI().getPath());
            caller = ConnectionGuard.caller(tracked, callers);
        }

        /** @return why the connection has to be closed, null where the answer is whole */
        @Nullable
        Throwable run() {
            try {
                try {
                    answer();
                } catch (IOException e) {
                    if (response.isCommitted()) {
                        throw e;
                    }
                    error(e);
                } catch (Exception | LinkageError | AssertionError | StackOverflowError | OutOfMemoryError e) {
                    if (response.isCommitted()) {
                        throw new IOException("the answer broke off", e);
                    }
                    error(e);
                }
                return null;
            } catch (IOException e) {
                problem = e.getMessage();
                return e;
            }
        }

        private void answer() throws Exception {
            RouteTable.Found found = routes.find(method(), path);
            Route wanted = found.route();
            if (wanted == null) {
                throw notFound(found.methods());
            }
            route = wanted;
            var query = ApiRequest.queryOf(wanted, request.getHttpURI().getQuery());
            byte[] body = body(wanted);
            guard.serve(tracked);
            HttpFields headers = request.getHeaders();
            write(wanted.handler()
                    .handle(new ApiRequest(wanted, path, found.parameters(), query, headers::get, body, caller)));
        }

        private @Nullable Method method() {
            return switch (request.getMethod()) {
                case "GET" -> Method.GET;
                case "POST" -> Method.POST;
                case "PUT" -> Method.PUT;
                case "PATCH" -> Method.PATCH;
                case "DELETE" -> Method.DELETE;
                default -> null;
            };
        }

        private ApiException notFound(Set<Method> methods) {
            if (methods.isEmpty()) {
                return ApiException.notFound("there is nothing at this path; GET /v1/openapi.json lists what there is");
            }
            String allowed =
                    String.join(", ", methods.stream().map(Method::name).toList());
            response.getHeaders().put(HttpHeader.ALLOW, allowed);
            return new ApiException(405, ApiErrors.code(405), "this path takes " + allowed, null);
        }

        private byte[] body(Route wanted) throws IOException, ApiException {
            HttpFields headers = request.getHeaders();
            long length = request.getLength();
            if (length > maxBodyBytes) {
                throw tooLarge();
            }
            if (headers.contains(HttpHeader.CONTENT_ENCODING)) {
                throw new ApiException(415, ApiErrors.code(415), "a body is taken as it is, not encoded", null);
            }
            // One byte more than may come shows that there is too much.
            byte[] body = new byte[0];
            if (length != 0) {
                try (InputStream in = Content.Source.asInputStream(request)) {
                    body = in.readNBytes(maxBodyBytes + 1);
                }
            }
            if (body.length > maxBodyBytes) {
                throw tooLarge();
            }
            Optional<Route.Body> takes = wanted.body();
            if (body.length == 0) {
                if (takes.isPresent() && takes.get().isRequired()) {
                    throw ApiException.badRequest("a body of " + takes.get().contentType() + " is missing");
                }
                return body;
            }
            if (takes.isEmpty()) {
                throw ApiException.badRequest("%s %s takes no body".formatted(wanted.method(), wanted.path()));
            }
            checkType(takes.get().contentType(), headers.get(HttpHeader.CONTENT_TYPE));
            return body;
        }

        private static void checkType(String wanted, @Nullable String given) throws ApiException {
            String[] parts = given == null ? new String[] {""} : given.split(";", -1);
            boolean fits = parts[0].strip().equalsIgnoreCase(wanted);
            for (int i = 1; i < parts.length; i++) {
                String parameter = parts[i].strip().toLowerCase(Locale.ROOT).replace("\"", "");
                fits &= !parameter.startsWith("charset=") || parameter.equals("charset=utf-8");
            }
            if (!fits) {
                throw new ApiException(
                        415, ApiErrors.code(415), "the body has to be %s in UTF-8".formatted(wanted), null);
            }
        }

        private ApiException tooLarge() {
            // What is left of the body is not worth reading.
            response.getHeaders().put(HttpHeader.CONNECTION, "close");
            return new ApiException(
                    413, ApiErrors.code(413), "the body has more than " + maxBodyBytes + " bytes", null);
        }

        private void write(Response answer) throws Exception {
            switch (answer) {
                case Response.Json json ->
                    write(json.status(), "application/json", (json.body() + "\n").getBytes(StandardCharsets.UTF_8));
                case Response.Bytes bytes -> write(bytes.status(), bytes.contentType(), bytes.body());
                case Response.Events events -> write(events.stream());
            }
        }

        private void write(int status, String contentType, byte[] body) throws IOException {
            response.setStatus(status);
            header(contentType);
            if (status != 204) {
                response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
            }
            Content.Sink.write(response, true, ByteBuffer.wrap(body));
        }

        private void write(EventStream stream) throws Exception {
            try (stream) {
                streams.add(stream);
                response.setStatus(200);
                header("text/event-stream");
                send(":\n\n");
                while (!stopping && !stream.isOver()) {
                    EventStream.Event event = stream.next(HEARTBEAT);
                    if (event == null) {
                        send(":\n\n");
                    } else {
                        send((event.id() < 0 ? "" : "id: " + event.id() + "\n") + "event: " + event.name() + "\ndata: "
                                + event.json() + "\n\n");
                    }
                }
                Content.Sink.write(response, true, ByteBuffer.allocate(0));
            } finally {
                streams.remove(stream);
            }
        }

        private void send(String text) throws IOException {
            Content.Sink.write(response, false, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
        }

        private void header(String contentType) {
            HttpFields.Mutable headers = response.getHeaders();
            if (!contentType.isEmpty()) {
                headers.put(HttpHeader.CONTENT_TYPE, contentType);
            }
            headers.put(new HttpField(HttpHeader.CACHE_CONTROL, "no-store"));
        }

        private void error(Throwable thrown) throws IOException {
            ApiException error = ApiErrors.of(thrown);
            problem = thrown.getMessage() == null ? thrown.toString() : thrown.getMessage();
            if (ApiErrors.isOurs(thrown)) {
                LOG.error("{} {} by {} failed", request.getMethod(), path, caller.name(), thrown);
            }
            byte[] body = (ApiErrors.body(error.code(), error.getMessage(), error.remedy()) + "\n")
                    .getBytes(StandardCharsets.UTF_8);
            write(error.status(), "application/json", body);
        }

        private void report(Duration time) {
            int status = response.getStatus();
            String template = route == null ? "none" : route.path();
            Method known = method();
            watcher.answered(known == null ? "other" : known.name(), template, status, time);
            if (problem != null && status >= 500) {
                LOG.warn("{} {} by {}: {} {}", request.getMethod(), path, caller.name(), status, problem);
            } else {
                LOG.debug(
                        "{} {} by {}: {} in {} ms{}",
                        request.getMethod(),
                        path,
                        caller.name(),
                        status,
                        time.toMillis(),
                        problem == null ? "" : ": " + problem);
            }
        }
    }
}
