package io.fairlead.daemon.http;

import java.util.Locale;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The API's document (OpenAPI 3.1.0), made from its routes. */
final class OpenApi {
    private static final Pattern PARAMETER = Pattern.compile("\\{([a-zA-Z]+)}");
    private static final String SCHEMAS = "#/components/schemas/";

    private OpenApi() {}

    /** @throws IllegalArgumentException where a route names a schema that is not there */
    static ObjectNode document(Api api) {
        ObjectNode document = JsonMapper.shared().createObjectNode().put("openapi", "3.1.0");
        document.putObject("info").put("title", "Fairlead").put("version", api.version());
        ObjectNode paths = document.putObject("paths");
        ObjectNode schemas = api.schemas().deepCopy();
        schemas.set("Error", errorSchema());
        for (Route route : api.routes()) {
            String method = route.method().name().toLowerCase(Locale.ROOT);
            ObjectNode operation = paths.withObjectProperty(route.path()).putObject(method);
            operation.put("operationId", operationId(method, route.path())).put("summary", route.summary());
            parameters(route, operation);
            route.body().ifPresent(body -> {
                ObjectNode request = operation.putObject("requestBody").put("required", body.isRequired());
                ObjectNode media = request.putObject("content").putObject(body.contentType());
                schema(media, body.schema(), schemas);
            });
            ObjectNode answers = operation.putObject("responses");
            new TreeMap<>(route.answers()).forEach((status, what) -> answer(answers, status, what, schemas));
            ObjectNode failure = answers.putObject("default").put("description", "refused or failed");
            schema(failure.putObject("content").putObject("application/json"), "Error", schemas);
        }
        document.putObject("components").set("schemas", schemas);
        return document;
    }

    private static void parameters(Route route, ObjectNode operation) {
        ArrayNode parameters = JsonMapper.shared().createArrayNode();
        Matcher inPath = PARAMETER.matcher(route.path());
        while (inPath.find()) {
            parameters
                    .addObject()
                    .put("name", inPath.group(1))
                    .put("in", "path")
                    .put("required", true)
                    .putObject("schema")
                    .put("type", "string");
        }
        for (Route.Query query : route.query()) {
            parameters
                    .addObject()
                    .put("name", query.name())
                    .put("in", "query")
                    .put("description", query.summary())
                    .putObject("schema")
                    .put("type", query.type().name().toLowerCase(Locale.ROOT));
        }
        if (!parameters.isEmpty()) {
            operation.set("parameters", parameters);
        }
    }

    private static void answer(ObjectNode answers, int status, String what, ObjectNode schemas) {
        ObjectNode answer = answers.putObject(Integer.toString(status));
        answer.put("description", what.isEmpty() ? "done" : what);
        if (what.isEmpty()) {
            return;
        }
        ObjectNode content = answer.putObject("content");
        if (what.indexOf('/') >= 0) {
            content.putObject(what);
        } else {
            schema(content.putObject("application/json"), what, schemas);
        }
    }

    private static void schema(ObjectNode media, String name, ObjectNode schemas) {
        if (name.isEmpty()) {
            media.putObject("schema").put("type", "string");
            return;
        }
        if (!schemas.has(name)) {
            throw new IllegalArgumentException("a route names the schema " + name + ", which is not there");
        }
        media.putObject("schema").put("$ref", SCHEMAS + name);
    }

    private static String operationId(String method, String path) {
        StringBuilder id = new StringBuilder(method);
        for (String part : path.split("[/{}._-]+", -1)) {
            if (!part.isEmpty()) {
                id.append(Character.toUpperCase(part.charAt(0))).append(part.substring(1));
            }
        }
        return id.toString();
    }

    private static ObjectNode errorSchema() {
        ObjectNode schema = JsonMapper.shared().createObjectNode().put("type", "object");
        schema.putArray("required").add("error");
        ObjectNode error = schema.putObject("properties").putObject("error").put("type", "object");
        error.putArray("required").add("code").add("message");
        ObjectNode fields = error.putObject("properties");
        fields.putObject("code").put("type", "string");
        fields.putObject("message").put("type", "string");
        fields.putObject("remedy").put("type", "string");
        return schema;
    }
}
