package io.fairlead.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Lists what a node's host has: Fairlead's own, and the kernel's. */
final class NodeObjects {
    static final String CONTROL =
            "A node's: what its host has, Fairlead's own first. In JSON a list, as both may have the same name.";

    private NodeObjects() {}

    /**
     * Asks a node and prints what it has.
     *
     * @param section the name that JSON has around the list
     * @param name only what is called so; null for all
     * @throws IOException where the node does not tell, or has nothing of that name
     */
    static void print(Path control, String command, String section, @Nullable String name, boolean json)
            throws IOException {
        List<JsonNode> found = new ArrayList<>();
        List<String> there = new ArrayList<>();
        try (ControlClient client = new ControlClient(control)) {
            ObjectNode question = new JsonMapper().createObjectNode().put("command", command);
            JsonNode done = client.execute(question, line -> {
                JsonNode object = line.path("object");
                String called = object.path("name").asString("");
                there.add(called);
                if (name == null
                        || name.equals(called)
                        || name.equals(object.path("fields").path("stable_name").asString(""))) {
                    found.add(object);
                }
            });
            if (done.path("done").asInt(ExitCodes.INTERNAL) != 0) {
                throw new IOException(done.path("error").asString(""));
            }
        }
        if (name != null && found.isEmpty()) {
            throw new IOException(
                    "%s does not exist at the node; there are: %s".formatted(name, String.join(", ", there)));
        }
        if (json) {
            ObjectNode document = new JsonMapper().createObjectNode();
            ArrayNode list = document.putArray(section);
            for (JsonNode object : found) {
                ObjectNode flat =
                        list.addObject().put("name", object.path("name").asString(""));
                object.path("fields").properties().forEach(field -> flat.set(field.getKey(), field.getValue()));
            }
            System.out.println(document);
        } else {
            found.forEach(object -> System.out.println(text(object.path("name").asString(""), object.path("fields"))));
        }
    }

    /** A line about an object, as {@code vdpa} has it. */
    static String text(String name, JsonNode fields) {
        StringBuilder text = new StringBuilder(name).append(':');
        fields.properties().stream()
                .filter(field -> !field.getKey().equals("name"))
                .forEach(field -> {
                    text.append(' ').append(field.getKey());
                    if (field.getValue().isArray()) {
                        field.getValue().forEach(value -> text.append(' ').append(value.asString("")));
                    } else {
                        text.append(' ').append(field.getValue().asString(""));
                    }
                });
        return text.toString();
    }
}
