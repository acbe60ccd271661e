package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PipeEndTest {
    private final long descriptorsBefore = Fd.openCount();

    @AfterEach
    void nothingIsLeft() {
        assertThat(Fd.openCount()).isEqualTo(descriptorsBefore);
    }

    private static List<Fd> stream() throws Exception {
        return UnixSocket.socketPair("stream").stream().map(UnixSocket::fd).toList();
    }

    @Test
    void whatIsWrittenIsReadUpToTheEnd() throws Exception {
        byte[] sent = new byte[3_000_000];
        new Random(1).nextBytes(sent);
        List<Fd> ends = stream();
        try (Arena arena = Arena.ofShared();
                PipeEnd reader = PipeEnd.reading(ends.get(0))) {
            CompletableFuture<Void> writing = CompletableFuture.runAsync(() -> {
                try (PipeEnd writer = PipeEnd.writing(ends.get(1))) {
                    writer.writeAll(arena.allocateFrom(ValueLayout.JAVA_BYTE, sent));
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
            MemorySegment received = arena.allocate(sent.length + 1);
            long total = 0;
            for (int count = reader.read(received); count > 0; ) {
                total += count;
                count = reader.read(received.asSlice(total));
            }
            writing.join();
            assertThat(received.asSlice(0, total).toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(sent);
        }
    }

    @Test
    void aNamedPipeWaitsForItsWriterAndEndsWithIt(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("pipe");
        FileIo.makePipe(path, 0600);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                .isEqualTo("rw-------");
        assertThatThrownBy(() -> FileIo.makePipe(path, 0600))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("mkfifo")
                .hasMessageContaining(path.toString());
        for (int round = 0; round < 2; round++) {
            try (Arena arena = Arena.ofConfined();
                    PipeEnd reader = PipeEnd.reading(FileIo.open(path, FileIo.O_RDONLY | FileIo.O_NONBLOCK, 0))) {
                Thread writer = Thread.ofPlatform().start(() -> {
                    try {
                        Files.writeString(path, "memory");
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                });
                MemorySegment received = arena.allocate(16);
                assertThat(reader.read(received)).isEqualTo(6);
                assertThat(received.getString(0)).isEqualTo("memory");
                assertThat(reader.read(received)).isZero();
                writer.join();
            }
        }
    }

    @Test
    void aWaitForTheOtherEndIsEndedByAnotherThread() throws Exception {
        List<Fd> ends = stream();
        try (Arena arena = Arena.ofShared();
                PipeEnd reader = PipeEnd.reading(ends.get(0));
                PipeEnd writer = PipeEnd.writing(ends.get(1))) {
            MemorySegment much = arena.allocate(16 << 20);
            CompletableFuture<Integer> reading = CompletableFuture.supplyAsync(() -> {
                try {
                    return reader.read(much);
                } catch (IOException e) {
                    return -1;
                }
            });
            reader.shutdown();
            assertThat(reading.join()).isEqualTo(-1);
            assertThatThrownBy(() -> reader.read(much)).hasMessageContaining("was ended");
            CompletableFuture<Boolean> writing = CompletableFuture.supplyAsync(() -> {
                try {
                    writer.writeAll(much);
                    return true;
                } catch (IOException e) {
                    return false;
                }
            });
            writer.shutdown();
            assertThat(writing.join()).isFalse();
        }
    }

    @Test
    void nobodyReads() throws Exception {
        List<Fd> ends = stream();
        ends.get(0).close();
        try (Arena arena = Arena.ofConfined();
                PipeEnd writer = PipeEnd.writing(ends.get(1))) {
            assertThatThrownBy(() -> writer.writeAll(arena.allocate(10)))
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EPIPE));
        }
    }

    @Test
    void aFileIsNoPipeAndIsClosed() throws Exception {
        Fd file = Memfd.create("file", 4096);
        assertThatThrownBy(() -> PipeEnd.reading(file))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EPERM));
        assertThat(file.isOpen()).isFalse();
    }
}
