package io.fairlead.daemon.api;

import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.http.Request;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.http.Route;
import io.fairlead.daemon.operation.Operation;
import io.fairlead.daemon.operation.Operations;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Operations and events. */
final class OperationRoutes {
    private static final int MAX_WAIT_MILLIS = 60_000;

    private final Operations operations;
    private final EventLog events;

    OperationRoutes(Operations operations, EventLog events) {
        this.operations = operations;
        this.events = events;
    }

    List<Route> all() {
        return List.of(
                Route.get("/v1/operations", "The last operations, newest first")
                        .answers(200, "Operations")
                        .by(_ -> {
                            ArrayNode list = JsonMapper.shared().createArrayNode();
                            operations.list().forEach(list::add);
                            return Response.ok(Requests.object("operations", list));
                        }),
                Route.get("/v1/operations/{id}", "One operation")
                        .query(
                                "waitMillis",
                                Route.QueryType.INTEGER,
                                "how long to wait for its end, at most " + MAX_WAIT_MILLIS)
                        .answers(200, "Operation")
                        .answers(404)
                        .by(this::get),
                Route.delete("/v1/operations/{id}", "Asks for an operation to be taken back")
                        .answers(202, "Operation")
                        .answers(404)
                        .answers(409)
                        .by(request -> {
                            operations.cancel(id(request));
                            return Response.json(202, find(request));
                        }),
                Route.get("/v1/events", "What happens, as server-sent events")
                        .query("after", Route.QueryType.INTEGER, "the number of the last event that is known")
                        .answers(200, "text/event-stream")
                        .by(this::follow));
    }

    private static long id(Request request) throws ApiException {
        String text = request.parameter("id");
        if (!text.matches("[0-9]{1,18}")) {
            throw ApiException.notFound("operation %s: there is none".formatted(text));
        }
        return Long.parseLong(text);
    }

    private ObjectNode find(Request request) throws ApiException {
        long id = id(request);
        return operations
                .find(id)
                .orElseThrow(() -> ApiException.notFound("operation %d: there is none".formatted(id)));
    }

    private Response get(Request request) throws ApiException, InterruptedException {
        long waitMillis = request.query("waitMillis", 0, 0, MAX_WAIT_MILLIS);
        Optional<Operation> running = operations.running(id(request));
        if (waitMillis > 0 && running.isPresent()) {
            boolean _ = running.get().awaitEnd(Duration.ofMillis(waitMillis));
        }
        return Response.ok(find(request));
    }

    private Response follow(Request request) throws ApiException {
        // A reader that lost its connection says by this header where it was.
        String known =
                request.query("after").or(() -> request.header("Last-Event-ID")).orElse("");
        if (known.isEmpty()) {
            return Response.events(events.after(events.newest()));
        }
        if (!known.matches("[0-9]{1,18}")) {
            throw ApiException.badRequest("after=%s: not the number of an event".formatted(known));
        }
        return Response.events(events.after(Long.parseLong(known)));
    }
}
