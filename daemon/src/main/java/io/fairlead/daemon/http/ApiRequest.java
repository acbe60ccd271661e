package io.fairlead.daemon.http;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** A request whose header has been checked against its route and whose body has been read. */
final class ApiRequest implements Request {
    private static final int MAX_DEPTH = 32;
    private static final int MAX_NAME_LENGTH = 1000;
    private static final int MAX_NUMBER_LENGTH = 100;

    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(MAX_DEPTH)
                            .maxNameLength(MAX_NAME_LENGTH)
                            .maxNumberLength(MAX_NUMBER_LENGTH)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Route route;
    private final String path;
    private final Map<String, String> parameters;
    private final Map<String, String> query;
    private final UnaryOperator<@Nullable String> header;
    private final byte[] body;
    private final Caller caller;

    ApiRequest(
            Route route,
            String path,
            Map<String, String> parameters,
            Map<String, String> query,
            UnaryOperator<@Nullable String> header,
            byte[] body,
            Caller caller) {
        this.route = route;
        this.path = path;
        this.parameters = parameters;
        this.query = query;
        this.header = header;
        this.body = body;
        this.caller = caller;
    }

    /**
     * Reads a query.
     *
     * @param raw as it was sent, null where there is none
     * @throws ApiException 400 where it names what the route does not take, or something twice
     */
    static Map<String, String> queryOf(Route route, @Nullable String raw) throws ApiException {
        Map<String, String> query = new HashMap<>();
        if (raw == null || raw.isEmpty()) {
            return query;
        }
        for (String pair : raw.split("&", -1)) {
            int equals = pair.indexOf('=');
            String name = PercentCoding.decode(equals < 0 ? pair : pair.substring(0, equals));
            String value = equals < 0 ? "" : PercentCoding.decode(pair.substring(equals + 1));
            if (route.query().stream().noneMatch(known -> known.name().equals(name))) {
                throw ApiException.badRequest("query parameter '%s': %s %s takes %s"
                        .formatted(
                                name,
                                route.method(),
                                route.path(),
                                route.query().isEmpty()
                                        ? "none"
                                        : String.join(
                                                ", ",
                                                route.query().stream()
                                                        .map(Route.Query::name)
                                                        .toList())));
            }
            if (query.put(name, value) != null) {
                throw ApiException.badRequest("query parameter '" + name + "': there are two");
            }
        }
        return query;
    }

    @Override
    public Method method() {
        return route.method();
    }

    @Override
    public String path() {
        return path;
    }

    @Override
    public String parameter(String name) {
        String value = parameters.get(name);
        if (value == null) {
            throw new IllegalStateException(route.path() + " has no parameter " + name);
        }
        return value;
    }

    @Override
    public Optional<String> query(String name) {
        if (route.query().stream().noneMatch(known -> known.name().equals(name))) {
            throw new IllegalStateException(route.path() + " names no query parameter " + name);
        }
        return Optional.ofNullable(query.get(name));
    }

    @Override
    public Optional<String> header(String name) {
        return Optional.ofNullable(header.apply(name));
    }

    @Override
    public ObjectNode json() throws ApiException {
        if (body.length == 0) {
            return JSON.createObjectNode();
        }
        try {
            JsonNode node = JSON.readTree(body);
            if (node instanceof ObjectNode object) {
                return object;
            }
        } catch (JacksonException e) {
            throw ApiException.badRequest("the body is no JSON: " + e.getOriginalMessage());
        }
        throw ApiException.badRequest("the body is no JSON object");
    }

    @Override
    public String text() throws ApiException {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(body))
                    .toString();
        } catch (CharacterCodingException _) {
            throw ApiException.badRequest("the body is no UTF-8");
        }
    }

    @Override
    public Caller caller() {
        return caller;
    }
}
