package io.fairlead.qemu;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A monitor that follows a script, for one client. */
final class FakeMonitor implements AutoCloseable {
    static final String GREETING =
            "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 3, \"minor\": 1, \"major\": 11}}, \"capabilities\": []}}\r\n";
    private static final JsonMapper JSON = new JsonMapper();

    private final Path socket;
    private final ServerSocketChannel server;
    private final Thread thread;

    FakeMonitor(Path folder, Script script) throws IOException {
        this.socket = folder.resolve("qmp.sock");
        this.server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        this.thread = Thread.ofPlatform().daemon().start(() -> {
            try (SocketChannel channel = server.accept()) {
                script.play(new Session(channel));
            } catch (Exception _) {
                // The client's view of it is what the test looks at.
            }
        });
    }

    Path socket() {
        return socket;
    }

    @Override
    public void close() throws IOException {
        server.close();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What the monitor does. */
    interface Script {
        void play(Session session) throws Exception;
    }

    /** The monitor's end of the connection. */
    static final class Session {
        private final SocketChannel channel;
        private final BufferedReader reader;

        Session(SocketChannel channel) {
            this.channel = channel;
            this.reader =
                    new BufferedReader(new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8));
        }

        void send(String text) throws IOException {
            send(text.getBytes(StandardCharsets.UTF_8));
        }

        void send(byte[] bytes) throws IOException {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        }

        /** The next command. */
        JsonNode command() throws IOException {
            String line = reader.readLine();
            if (line == null) {
                throw new IOException("the client is gone");
            }
            return JSON.readTree(line);
        }

        void answer(JsonNode command, String members) throws IOException {
            send("{" + members + ", \"id\": \"" + command.path("id").asString() + "\"}\r\n");
        }

        /** Greeting and capabilities. */
        void negotiate() throws IOException {
            send(GREETING);
            answer(command(), "\"return\": {}");
        }

        void awaitClose() throws IOException {
            while (reader.readLine() != null) {
                // What still comes does not matter.
            }
        }
    }
}
