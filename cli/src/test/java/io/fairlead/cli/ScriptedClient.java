package io.fairlead.cli;

import io.fairlead.daemon.client.ApiClient;
import io.fairlead.daemon.client.ApiClientException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Answers as it was told to, and keeps what it was asked. */
final class ScriptedClient implements ApiClient {
    /** Such as {@code POST /v1/machines/vm0/start {"paused":false}}. */
    final List<String> requests = new ArrayList<>();

    private final Map<String, List<String>> answers = new HashMap<>();
    private List<String> operation = List.of();

    /** Answers of a method and path, in turn, the last one again and again. In JSON with single quotes. */
    ScriptedClient on(String request, String... turns) {
        answers.put(request, List.of(turns));
        return this;
    }

    /** How the operation looks that a command waits for, each time it has changed. */
    ScriptedClient operation(String... states) {
        operation = List.of(states);
        return this;
    }

    /** Runs a command that comes to this client. */
    CommandResult run(String... arguments) {
        DaemonAddress.Connector before = DaemonAddress.connectBy((_, _) -> this);
        try {
            return CommandResult.run(arguments);
        } finally {
            DaemonAddress.Connector _ = DaemonAddress.connectBy(before);
        }
    }

    private JsonNode answer(String request, String body) throws IOException {
        long asked = requests.stream()
                .filter(each -> (each + " ").startsWith(request + " "))
                .count();
        requests.add(body.isEmpty() ? request : request + " " + body);
        List<String> turns = answers.get(request);
        if (turns == null) {
            throw new ApiClientException(404, "not-found", request + ": there is none", null);
        }
        return json(turns.get((int) Math.min(asked, turns.size() - 1)));
    }

    static JsonNode json(String text) {
        return JsonMapper.shared().readTree(text.replace('\'', '"'));
    }

    @Override
    public JsonNode get(String path) throws IOException {
        return answer("GET " + path, "");
    }

    @Override
    public byte[] getBytes(String path) throws IOException {
        return answer("GET " + path, "").asString().getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public JsonNode post(String path, JsonNode body) throws IOException {
        return answer("POST " + path, body == null ? "" : body.toString());
    }

    @Override
    public JsonNode post(String path, String contentType, String body) throws IOException {
        return answer("POST " + path, contentType + " " + body);
    }

    @Override
    public JsonNode put(String path, JsonNode body) throws IOException {
        return answer("PUT " + path, body.toString());
    }

    @Override
    public JsonNode patch(String path, JsonNode body) throws IOException {
        return answer("PATCH " + path, body.toString());
    }

    @Override
    public JsonNode delete(String path) throws IOException {
        return answer("DELETE " + path, "");
    }

    @Override
    public void events(long after, Predicate<JsonNode> wantsMore) throws IOException {
        for (JsonNode event : answer("EVENTS " + after, "")) {
            if (!wantsMore.test(event)) {
                return;
            }
        }
    }

    @Override
    public JsonNode awaitOperation(String id, Consumer<JsonNode> listener) {
        requests.add("AWAIT " + id);
        JsonNode last = JsonMapper.shared().createObjectNode();
        for (String state : operation) {
            last = json(state);
            listener.accept(last);
        }
        return last;
    }

    @Override
    public void close() {
        requests.add("CLOSE");
    }
}
