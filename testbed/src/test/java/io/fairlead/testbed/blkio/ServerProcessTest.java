package io.fairlead.testbed.blkio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServerProcessTest {
    private static final Duration LONG = Duration.ofSeconds(30);

    @TempDir
    private Path folder;

    private ServerProcess shell(String script) throws IOException {
        return ServerProcess.start("the server", new ProcessBuilder("sh", "-c", script), folder.resolve("log"));
    }

    @Test
    void isReadyWhenItSaysSoAndEndsWhenClosed() throws IOException {
        ServerProcess server = shell("echo starting; echo ready; exec sleep 600");
        server.awaitReady(written -> written.contains("ready"), LONG);
        assertThat(server.isAlive()).isTrue();
        assertThat(ProcessHandle.of(server.pid())).isPresent();
        server.close();
        assertThat(server.isAlive()).isFalse();
        server.close();
    }

    @Test
    void tellsWhatItWroteWhereItEndsTooEarly() throws IOException {
        ServerProcess server = shell("echo cannot open the disk >&2; exit 4");
        assertThatThrownBy(() -> server.awaitReady(written -> false, LONG))
                .isInstanceOf(IOException.class)
                .hasMessage("the server ended with exit code 4 before it was ready: cannot open the disk");
    }

    @Test
    void isEndedWhereItIsNotReadyInTime() throws IOException {
        ServerProcess server = shell("exec sleep 600");
        assertThatThrownBy(() -> server.awaitReady(written -> false, Duration.ofMillis(50)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("was not ready within")
                .hasMessageContaining("it wrote nothing");
        assertThat(server.isAlive()).isFalse();
    }
}
