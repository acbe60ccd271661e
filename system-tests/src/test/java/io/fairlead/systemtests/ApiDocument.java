package io.fairlead.systemtests;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The document that a daemon serves of its API, to check requests and answers against. */
final class ApiDocument {
    private static final Set<String> METHODS = Set.of("GET", "POST", "PUT", "PATCH", "DELETE");
    private static final SchemaRegistry OPEN_API = SchemaRegistry.withDefaultDialect(
            SpecificationVersion.DRAFT_2020_12,
            builder -> builder.schemaIdResolvers(ids ->
                    ids.mapPrefix("https://spec.openapis.org/oas/3.1/", "classpath:spec.openapis.org/oas/3.1/")));

    private final JsonNode document;

    ApiDocument(JsonNode document) {
        this.document = document;
    }

    /** What the specification of OpenAPI 3.1 has against a document. */
    static List<String> faults(JsonNode document) {
        ObjectNode reference = JsonMapper.shared()
                .createObjectNode()
                .put("$ref", "https://spec.openapis.org/oas/3.1/schema-base/2022-10-07");
        return validate(OPEN_API.getSchema(reference), document);
    }

    private static List<String> validate(Schema schema, JsonNode value) {
        return schema.validate(value).stream()
                .map(error -> error.getInstanceLocation() + ": " + error.getMessage())
                .toList();
    }

    /** All it names, as {@code GET /v1/devices}. */
    Set<String> operations() {
        Set<String> all = new TreeSet<>();
        document.path("paths")
                .properties()
                .forEach(path -> methods(path.getKey()).forEach(method -> all.add(method + " " + path.getKey())));
        return all;
    }

    Set<String> paths() {
        return new TreeSet<>(document.path("paths").propertyNames());
    }

    /** The methods of a path. */
    Set<String> methods(String path) {
        Set<String> all = new TreeSet<>();
        for (String method : METHODS) {
            if (document.path("paths").path(path).has(method.toLowerCase(Locale.ROOT))) {
                all.add(method);
            }
        }
        return all;
    }

    /** The statuses that it names for an operation, without those of {@code default}. */
    Set<Integer> statuses(String operation) {
        Set<Integer> all = new TreeSet<>();
        operation(operation).path("responses").propertyNames().forEach(status -> {
            if (!status.equals("default")) {
                all.add(Integer.parseInt(status));
            }
        });
        return all;
    }

    private JsonNode operation(String operation) {
        int space = operation.indexOf(' ');
        return document.path("paths")
                .path(operation.substring(space + 1))
                .path(operation.substring(0, space).toLowerCase(Locale.ROOT));
    }

    /** What is not as documented in a body that is sent. */
    List<String> checkRequest(String operation, String contentType, String body) {
        JsonNode documented = operation(operation).path("requestBody");
        if (contentType.isEmpty()) {
            return documented.path("required").asBoolean(false) ? List.of("the body is missing") : List.of();
        }
        JsonNode media = documented.path("content").path(contentType);
        if (media.isMissingNode()) {
            return List.of("no body of " + contentType);
        }
        return contentType.equals("application/json")
                ? checkJson(media, JsonMapper.shared().readTree(body))
                : List.of();
    }

    /** What is not as documented in an answer. */
    List<String> check(String operation, HttpAnswer answer) {
        JsonNode responses = operation(operation).path("responses");
        JsonNode documented = responses.path(Integer.toString(answer.status()));
        if (documented.isMissingNode()) {
            if (answer.status() < 400) {
                return List.of("undocumented status " + answer.status());
            }
            documented = responses.path("default");
        }
        JsonNode content = documented.path("content");
        List<String> faults = new ArrayList<>();
        if (content.isMissingNode()) {
            if (!answer.bytes().isEmpty() || !answer.contentType().isEmpty()) {
                faults.add("a body that is not documented");
            }
        } else if (!content.has(answer.contentType())) {
            faults.add("the content type '%s' is not documented".formatted(answer.contentType()));
        } else if (answer.bytes().isEmpty()) {
            faults.add("the body is missing");
        } else if (answer.contentType().equals("application/json")) {
            faults.addAll(checkJson(content.path("application/json"), answer.json()));
        }
        return faults;
    }

    private List<String> checkJson(JsonNode media, JsonNode value) {
        if (!media.has("schema")) {
            // Any JSON, as the document itself.
            return List.of();
        }
        ObjectNode schema = (ObjectNode) media.path("schema").deepCopy();
        schema.set("components", document.path("components"));
        return validate(
                SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
                        .getSchema(schema),
                value);
    }
}
