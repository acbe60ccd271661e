package io.fairlead.daemon.client;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Speaks to a daemon. Methods wait for the answer; an error answer is an {@link ApiClientException}, no answer at all an
 * {@link IOException} that names the address. Thread-safe.
 */
public interface ApiClient extends AutoCloseable {
    /** Where the daemon listens if nothing else is said. */
    String DEFAULT_ADDRESS = "/run/fairlead/fairlead.sock";

    /**
     * Connects.
     *
     * @param address the path of a Unix socket, or {@code https://HOST:PORT}
     * @param certificates the folder of this host's certificates, for {@code https}
     * @throws IOException where no daemon answers there, or will not have us; the message says what to do
     * @throws IllegalArgumentException where the address is none
     */
    static ApiClient connect(String address, @Nullable Path certificates) throws IOException {
        Peer peer = address.startsWith("https://") ? TlsPeer.of(address, certificates) : new UnixPeer(Path.of(address));
        peer.open().close();
        return new PlainClient(peer);
    }

    /** A path of segments, each encoded: {@code path("v1", "machines", name, "start")}. */
    static String path(String... segments) {
        StringBuilder path = new StringBuilder();
        for (String segment : segments) {
            path.append('/')
                    .append(URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20"));
        }
        return path.toString();
    }

    /** Asks for JSON. */
    JsonNode get(String path) throws IOException;

    /** Asks for bytes of any type, as a picture or XML. */
    byte[] getBytes(String path) throws IOException;

    /** Sends JSON, or nothing; a missing node where the answer has no body. */
    JsonNode post(String path, @Nullable JsonNode body) throws IOException;

    /** Sends text of a content type, as {@code application/xml}. */
    JsonNode post(String path, String contentType, String body) throws IOException;

    /** Sends JSON. */
    JsonNode put(String path, JsonNode body) throws IOException;

    /** Sends JSON. */
    JsonNode patch(String path, JsonNode body) throws IOException;

    /** Deletes; a missing node where the answer has no body. */
    JsonNode delete(String path) throws IOException;

    /**
     * Reads events until the consumer does not want any more or the daemon goes away.
     *
     * @param after the number after which to begin; negative for those from now on
     */
    void events(long after, Predicate<JsonNode> wantsMore) throws IOException;

    /**
     * Waits for an operation's end.
     *
     * @param listener gets the operation each time it has changed, at last as it ended
     * @return the operation as it ended, done, failed or cancelled
     */
    JsonNode awaitOperation(String id, Consumer<JsonNode> listener) throws IOException;

    @Override
    void close();
}
