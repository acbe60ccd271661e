package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class SerialConsoleTest {
    @TempDir
    Path folder;

    /** Types, with a port that sends {@code greeting} and ends if it shall; what it was sent, and what was shown. */
    private String[] relay(InputStream typed, String greeting, boolean portEnds) throws Exception {
        Path socket = folder.resolve("serial");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            CompletableFuture<String> received = CompletableFuture.supplyAsync(() -> {
                try (SocketChannel port = server.accept()) {
                    int _ = port.write(ByteBuffer.wrap(greeting.getBytes(StandardCharsets.UTF_8)));
                    if (portEnds) {
                        port.shutdownOutput();
                    }
                    ByteBuffer buffer = ByteBuffer.allocate(100_000);
                    while (port.read(buffer) >= 0) {}
                    return new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8);
                } catch (java.io.IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            ByteArrayOutputStream shown = new ByteArrayOutputStream();
            try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
                SerialConsole.relay(channel, typed, shown);
            }
            return new String[] {received.get(), shown.toString(StandardCharsets.UTF_8)};
        }
    }

    @Test
    void theEscapeCharacterLeavesAndWhatWasTypedBeforeIsSent() throws Exception {
        String[] result =
                relay(new ByteArrayInputStream("root\rls\u001dnever".getBytes(StandardCharsets.UTF_8)), "", false);
        assertThat(result[0]).isEqualTo("root\rls");
    }

    @Test
    void theEndOfTheInputWaitsForWhatTheMachineSays() throws Exception {
        String[] result = relay(InputStream.nullInputStream(), "login: ", true);
        assertThat(result[1]).isEqualTo("login: ");
    }

    @Test
    void longInputArrivesWhole() throws Exception {
        String text = "0123456789".repeat(5_000);
        String[] result =
                relay(new ByteArrayInputStream((text + "\u001d").getBytes(StandardCharsets.UTF_8)), "", false);
        assertThat(result[0]).isEqualTo(text);
    }
}
