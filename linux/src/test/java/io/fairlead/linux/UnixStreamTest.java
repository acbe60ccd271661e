package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnixStreamTest {
    private static final int DATA = 64;
    private static final int DATA_BYTES = 1 << 16;

    @TempDir
    Path folder;

    private final long descriptors = Fd.openCount();
    private Mapping memory;
    private UnixSocket listener;

    @BeforeEach
    void listen() throws IOException {
        memory = Mapping.anonymous(DATA + DATA_BYTES);
        listener = UnixSocket.listen(path(), 0600);
    }

    @AfterEach
    void close() {
        listener.close();
        memory.close();
        assertThat(Fd.openCount()).isEqualTo(descriptors);
    }

    private Path path() {
        return folder.resolve("s.sock");
    }

    /** One iovec of so many bytes. */
    private long iovec(int byteCount) {
        MemorySegment segment = memory.segment();
        segment.set(ValueLayout.JAVA_LONG, 0, segment.address() + DATA);
        segment.set(ValueLayout.JAVA_LONG, Long.BYTES, byteCount);
        return segment.address();
    }

    @Test
    void neverWaits() throws IOException {
        assertThat(listener.acceptNow()).isNull();
        try (UnixStream client = UnixStream.connect(path());
                UnixStream server = listener.acceptNow()) {
            assertThat(server).isNotNull();
            assertThat(server.receive(iovec(10), 1)).isEqualTo(-Errno.EAGAIN);
            memory.segment().setString(DATA, "hello");
            assertThat(client.send(iovec(5), 1)).isEqualTo(5);
            memory.segment().asSlice(DATA, 5).fill((byte) 0);
            assertThat(server.peek(iovec(3), 1)).isEqualTo(3);
            assertThat(server.receive(iovec(10), 1)).isEqualTo(5);
            assertThat(memory.segment().getString(DATA)).isEqualTo("hello");
            long sent = 0;
            long result;
            do {
                result = client.send(iovec(DATA_BYTES), 1);
                sent += Math.max(0, result);
            } while (result > 0);
            assertThat(result).isEqualTo(-Errno.EAGAIN);
            assertThat(sent).isPositive();
            long got = 0;
            for (result = server.receive(iovec(DATA_BYTES), 1); result > 0; ) {
                got += result;
                result = server.receive(iovec(DATA_BYTES), 1);
            }
            assertThat(got).isEqualTo(sent);
        }
    }

    @Test
    void eachDirectionEndsForItself() throws IOException {
        try (UnixStream client = UnixStream.connect(path());
                UnixStream server = listener.acceptNow()) {
            client.endSending();
            assertThat(server.receive(iovec(1), 1)).isZero();
            assertThat(server.send(iovec(1), 1)).isEqualTo(1);
            assertThat(client.receive(iovec(1), 1)).isEqualTo(1);
            client.endReceiving();
            // No signal ends the process.
            assertThat(server.send(iovec(1), 1)).isEqualTo(-Errno.EPIPE);
        }
    }

    @Test
    void saysWhyItCannotConnect() {
        assertThatThrownBy(() -> UnixStream.connect(folder.resolve("nobody")))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
        assertThatThrownBy(() -> UnixStream.connect(Path.of("x".repeat(108)))).hasMessageContaining("too long");
    }
}
