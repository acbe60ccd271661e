package io.fairlead.daemon.http;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One thing that can be asked of the API, with what its description says of it. Immutable.
 *
 * <pre>{@code
 * Route.get("/v1/operations/{id}", "One operation")
 *         .query("waitMillis", QueryType.INTEGER, "how long to wait for its end, at most 60000")
 *         .answers(200, "Operation")
 *         .answers(404)
 *         .by(request -> Response.ok(...));
 * }</pre>
 *
 * @param path with parameters in braces, each a whole segment
 * @param summary one line
 * @param query the query parameters that it takes; others are refused
 * @param body what it takes as a body; a request with a body where there is none is refused
 * @param answers by status: the name of the schema, or a content type, or empty for an answer without a body. Errors of
 *     every route (400, 413, 500, 503) are added by the description
 */
public record Route(
        Method method,
        String path,
        String summary,
        List<Query> query,
        Optional<Body> body,
        Map<Integer, String> answers,
        Handler handler) {

    /** The type of a query parameter. */
    public enum QueryType {
        STRING,
        INTEGER,
        BOOLEAN
    }

    /** A query parameter, which may always be left out. */
    public record Query(String name, QueryType type, String summary) {}

    /**
     * A body.
     *
     * @param contentType the only one that is taken
     * @param schema the name of the schema where it is JSON, else empty
     * @param isRequired whether it may not be left out
     */
    public record Body(String contentType, String schema, boolean isRequired) {}

    public Route {
        query = List.copyOf(query);
        answers = Map.copyOf(answers);
    }

    /** Begins a route of GET. */
    public static Builder get(String path, String summary) {
        return new Builder(Method.GET, path, summary);
    }

    /** Begins a route of POST. */
    public static Builder post(String path, String summary) {
        return new Builder(Method.POST, path, summary);
    }

    /** Begins a route of PUT. */
    public static Builder put(String path, String summary) {
        return new Builder(Method.PUT, path, summary);
    }

    /** Begins a route of PATCH. */
    public static Builder patch(String path, String summary) {
        return new Builder(Method.PATCH, path, summary);
    }

    /** Begins a route of DELETE. */
    public static Builder delete(String path, String summary) {
        return new Builder(Method.DELETE, path, summary);
    }

    /** Gathers a route. Not thread-safe. */
    public static final class Builder {
        private final Method method;
        private final String path;
        private final String summary;
        private final List<Query> query = new ArrayList<>();
        private final Map<Integer, String> answers = new LinkedHashMap<>();
        private Optional<Body> body = Optional.empty();

        private Builder(Method method, String path, String summary) {
            this.method = method;
            this.path = path;
            this.summary = summary;
        }

        /** Takes a query parameter. */
        public Builder query(String name, QueryType type, String what) {
            query.add(new Query(name, type, what));
            return this;
        }

        /** Takes a JSON object of a schema as its body. */
        public Builder takesJson(String schema) {
            body = Optional.of(new Body("application/json", schema, true));
            return this;
        }

        /** Takes a JSON object of a schema as its body, or none. */
        public Builder mayTakeJson(String schema) {
            body = Optional.of(new Body("application/json", schema, false));
            return this;
        }

        /** Takes text of a content type as its body, as {@code application/xml}. */
        public Builder takes(String contentType) {
            body = Optional.of(new Body(contentType, "", true));
            return this;
        }

        /**
         * Answers so.
         *
         * @param what the name of a schema, or a content type, which has a {@code /}
         */
        public Builder answers(int status, String what) {
            answers.put(status, what);
            return this;
        }

        /** Answers without a body, or with an error. */
        public Builder answers(int status) {
            answers.put(status, status >= 400 ? "Error" : "");
            return this;
        }

        /** Ends the route. */
        public Route by(Handler handler) {
            return new Route(method, path, summary, query, body, answers, handler);
        }
    }
}
