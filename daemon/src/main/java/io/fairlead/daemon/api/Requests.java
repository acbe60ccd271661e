package io.fairlead.daemon.api;

import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.http.Request;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.operation.Operation;
import io.fairlead.node.HostPort;
import io.fairlead.node.MigrationJson;
import io.fairlead.node.migration.MigrationPlan;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** What several routes read and answer. */
final class Requests {
    private static final int DEFAULT_GUEST_SECONDS = 30;
    private static final int MAX_GUEST_SECONDS = 3600;

    private static final List<String> NUMBERS =
            List.of("maxBandwidthBytesPerSecond", "downtimeLimitMillis", "downtimeBudgetMillis", "multifdChannels");

    private Requests() {}

    /** Text that has to be there. */
    static String text(ObjectNode body, String name) throws ApiException {
        JsonNode value = body.path(name);
        if (!value.isString() || value.asString("").isEmpty()) {
            throw ApiException.badRequest("the member '%s', a text, is missing".formatted(name));
        }
        return value.asString("");
    }

    /** A truth value that may be left out. */
    static boolean flag(ObjectNode body, String name) throws ApiException {
        JsonNode value = body.path(name);
        if (!value.isMissingNode() && !value.isBoolean()) {
            throw ApiException.badRequest("the member '%s' is neither true nor false".formatted(name));
        }
        return value.asBoolean(false);
    }

    /** The member {@code attributes}: an object of texts, numbers and truth values. */
    static Map<String, String> attributes(ObjectNode body) throws ApiException {
        JsonNode given = body.path("attributes");
        if (!given.isMissingNode() && !given.isObject()) {
            throw ApiException.badRequest("the member 'attributes' is no object");
        }
        Map<String, String> attributes = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : given.properties()) {
            if (!entry.getValue().isValueNode() || entry.getValue().isNull()) {
                throw ApiException.badRequest("the attribute '%s' is no text".formatted(entry.getKey()));
            }
            attributes.put(entry.getKey(), entry.getValue().asString());
        }
        return attributes;
    }

    /** The member {@code to}: where another daemon listens. */
    static HostPort address(ObjectNode body) throws ApiException {
        try {
            return HostPort.parse(text(body, "to"));
        } catch (IllegalArgumentException e) {
            throw ApiException.badRequest("the member 'to': " + e.getMessage());
        }
    }

    /** What is said of a migration. */
    static MigrationPlan plan(ObjectNode body) throws ApiException {
        for (String number : NUMBERS) {
            JsonNode value = body.path(number);
            if (!value.isMissingNode() && !value.isIntegralNumber()) {
                throw ApiException.badRequest("the member '%s' is no whole number".formatted(number));
            }
        }
        boolean _ = flag(body, "selfCheck");
        try {
            return MigrationJson.plan(body);
        } catch (IllegalArgumentException e) {
            throw ApiException.badRequest(String.valueOf(e.getMessage()));
        }
    }

    static Duration guestTimeout(Request request) throws ApiException {
        return Duration.ofSeconds(request.query("guestTimeoutSeconds", DEFAULT_GUEST_SECONDS, 1, MAX_GUEST_SECONDS));
    }

    static Response begun(Operation operation) {
        return Response.json(202, operation.json());
    }

    static ObjectNode object(String name, JsonNode value) {
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.set(name, value);
        return node;
    }
}
