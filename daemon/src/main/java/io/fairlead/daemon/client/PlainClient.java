package io.fairlead.daemon.client;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

/** A client with a connection a request: none is ever stale, and nothing is sent twice. */
final class PlainClient implements ApiClient {
    private static final int MAX_BYTES = 64 << 20;
    private static final int MAX_EVENT_BYTES = 1 << 20;
    private static final int POLL_MILLIS = 500;

    private final Peer peer;

    PlainClient(Peer peer) {
        this.peer = peer;
    }

    @Override
    public JsonNode get(String path) throws IOException {
        return json(ask("GET", path, "", ""));
    }

    @Override
    public byte[] getBytes(String path) throws IOException {
        return ask("GET", path, "", "");
    }

    @Override
    public JsonNode post(String path, @Nullable JsonNode body) throws IOException {
        return json(ask("POST", path, "application/json", body == null ? "" : body.toString()));
    }

    @Override
    public JsonNode post(String path, String contentType, String body) throws IOException {
        return json(ask("POST", path, contentType, body));
    }

    @Override
    public JsonNode put(String path, JsonNode body) throws IOException {
        return json(ask("PUT", path, "application/json", body.toString()));
    }

    @Override
    public JsonNode patch(String path, JsonNode body) throws IOException {
        return json(ask("PATCH", path, "application/json", body.toString()));
    }

    @Override
    public JsonNode delete(String path) throws IOException {
        return json(ask("DELETE", path, "", ""));
    }

    @Override
    public void events(long after, Predicate<JsonNode> wantsMore) throws IOException {
        try (Peer.Link link = peer.open()) {
            InputStream in = send(link, "GET", "/v1/events" + (after < 0 ? "" : "?after=" + after), "", "");
            Answer answer = Answer.read(in);
            check(answer);
            InputStream body = answer.body();
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            for (int c = body.read(); c >= 0; c = body.read()) {
                if (c != '\n') {
                    line.write(c);
                    if (line.size() > MAX_EVENT_BYTES) {
                        throw new IOException("an event has more than " + MAX_EVENT_BYTES + " bytes");
                    }
                    continue;
                }
                // The data is all that is needed: number and kind are in it.
                String text = line.toString(StandardCharsets.UTF_8);
                line.reset();
                if (text.startsWith("data:")
                        && !wantsMore.test(json(text.substring(5).getBytes(StandardCharsets.UTF_8)))) {
                    return;
                }
            }
        }
    }

    @Override
    public JsonNode awaitOperation(String id, Consumer<JsonNode> listener) throws IOException {
        JsonNode last = MissingNode.getInstance();
        while (true) {
            JsonNode now = get(ApiClient.path("v1", "operations", id) + "?waitMillis=" + POLL_MILLIS);
            if (!now.equals(last)) {
                listener.accept(now);
                last = now;
            }
            if (!now.path("state").asString("").equals("running")) {
                return now;
            }
        }
    }

    @Override
    public void close() {
        // Nothing is open between requests.
    }

    private byte[] ask(String method, String path, String contentType, String body) throws IOException {
        try (Peer.Link link = peer.open()) {
            Answer answer = Answer.read(send(link, method, path, contentType, body));
            check(answer);
            return answer.bytes(MAX_BYTES);
        } catch (EOFException e) {
            throw new IOException("%s %s: the daemon went away before it had answered".formatted(method, path), e);
        }
    }

    private InputStream send(Peer.Link link, String method, String path, String contentType, String body)
            throws IOException {
        if (!path.startsWith("/") || path.chars().anyMatch(c -> c <= ' ' || c >= 0x7F)) {
            throw new IllegalArgumentException("a path that is not encoded: " + path);
        }
        byte[] content = body.getBytes(StandardCharsets.UTF_8);
        StringBuilder head = new StringBuilder()
                .append(method)
                .append(' ')
                .append(path)
                .append(" HTTP/1.1\r\nHost: ")
                .append(peer.host())
                .append("\r\nConnection: close\r\n");
        if (content.length > 0) {
            head.append("Content-Type: ").append(contentType).append("\r\n");
        }
        if (!method.equals("GET")) {
            head.append("Content-Length: ").append(content.length).append("\r\n");
        }
        head.append("\r\n");
        ByteArrayOutputStream request = new ByteArrayOutputStream(head.length() + content.length);
        request.writeBytes(head.toString().getBytes(StandardCharsets.US_ASCII));
        request.writeBytes(content);
        try {
            link.out().write(request.toByteArray());
            link.out().flush();
        } catch (IOException e) {
            // A request that is refused before it has come whole: the answer is there, and says why.
            BufferedInputStream early = new BufferedInputStream(link.in());
            early.mark(1);
            try {
                if (early.read() >= 0) {
                    early.reset();
                    return early;
                }
            } catch (IOException _) {
                // The first one is the reason.
            }
            throw e;
        }
        return new BufferedInputStream(link.in());
    }

    private static void check(Answer answer) throws IOException {
        int status = answer.status();
        if (status < 400) {
            return;
        }
        JsonNode error;
        try {
            error = json(answer.bytes(MAX_EVENT_BYTES)).path("error");
        } catch (IOException _) {
            error = MissingNode.getInstance();
        }
        JsonNode remedy = error.path("remedy");
        throw new ApiClientException(
                status,
                error.path("code").asString("unknown"),
                error.path("message").asString("the daemon answered " + status),
                remedy.isString() ? remedy.asString() : null);
    }

    private static JsonNode json(byte[] body) throws IOException {
        if (body.length == 0) {
            return MissingNode.getInstance();
        }
        try {
            return JsonMapper.shared().readTree(body);
        } catch (JacksonException e) {
            throw new IOException("the daemon's answer is no JSON: " + e.getOriginalMessage(), e);
        }
    }
}
