package io.fairlead.systemtests;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a daemon answered to a request that is sent as it is, on a connection of its own.
 *
 * @param headers by their names in lower case
 * @param bytes of the body, each as a character; of an event stream until its first event, with the sizes of its pieces
 */
record HttpAnswer(int status, Map<String, String> headers, String bytes) {
    /** @param contentType empty for a request without a body */
    static HttpAnswer ask(Path socket, String method, String path, String contentType, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        String content = contentType.isEmpty()
                ? ""
                : "Content-Type: %s\r\nContent-Length: %d\r\n".formatted(contentType, bytes.length);
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            boolean _ = channel.connect(UnixDomainSocketAddress.of(socket));
            send(
                    channel,
                    "%s %s HTTP/1.1\r\nHost: fairlead\r\nConnection: close\r\n%s\r\n".formatted(method, path, content));
            if (bytes.length > 0) {
                send(channel, body);
            }
            return read(Channels.newInputStream(channel));
        }
    }

    private static void send(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            int _ = channel.write(bytes);
        }
    }

    private static HttpAnswer read(InputStream in) throws IOException {
        String[] head = readUntil(in, "\r\n\r\n").split("\r\n", -1);
        if (!head[0].matches("HTTP/1\\.1 [0-9]{3} .*")) {
            throw new IOException("no status line: " + head[0]);
        }
        Map<String, String> headers = new TreeMap<>();
        for (int i = 1; i < head.length; i++) {
            int colon = head[i].indexOf(':');
            if (colon > 0) {
                headers.put(
                        head[i].substring(0, colon).toLowerCase(Locale.ROOT),
                        head[i].substring(colon + 1).strip());
            }
        }
        String bytes = headers.getOrDefault("content-type", "").startsWith("text/event-stream")
                ? readUntil(in, "data: ") + readUntil(in, "\n\n")
                : new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
        return new HttpAnswer(Integer.parseInt(head[0].substring(9, 12)), headers, bytes);
    }

    private static String readUntil(InputStream in, String end) throws IOException {
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        while (!read.toString(StandardCharsets.ISO_8859_1).endsWith(end)) {
            int next = in.read();
            if (next < 0) {
                throw new IOException("ended after: " + read.toString(StandardCharsets.ISO_8859_1));
            }
            read.write(next);
        }
        return read.toString(StandardCharsets.ISO_8859_1);
    }

    /** Without its parameters; empty for none. */
    String contentType() {
        return headers.getOrDefault("content-type", "").replaceFirst(";.*", "").strip();
    }

    String text() {
        return new String(bytes.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    }

    JsonNode json() {
        return JsonMapper.shared().readTree(text());
    }
}
