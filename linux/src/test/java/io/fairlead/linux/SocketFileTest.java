package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SocketFileTest {
    private static final MethodHandle UMASK = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("umask"),
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT));

    @TempDir
    Path folder;

    private Path path;

    @BeforeEach
    void name() {
        path = folder.resolve("disk.sock");
    }

    @ParameterizedTest
    @CsvSource({"0, 0600", "0, 0660", "077, 0666", "0777, 0600", "022, 0"})
    void hasExactlyTheModeWhateverTheUmask(String umask, String mode) throws Throwable {
        int before = (int) UMASK.invokeExact(Integer.parseInt(umask, 8));
        try (UnixSocket listener = UnixSocket.listen(path, Integer.parseInt(mode, 8))) {
            assertThat(listener.fd().isOpen()).isTrue();
            assertThat(FileIo.status(path).permissions()).isEqualTo(Integer.parseInt(mode, 8));
        } finally {
            int during = (int) UMASK.invokeExact(before);
            assertThat(during).isEqualTo(Integer.parseInt(umask, 8));
        }
        assertThat(filesInFolder()).isEmpty();
    }

    @Test
    void isNeverWiderForAnInstant() throws Throwable {
        int before = (int) UMASK.invokeExact(0);
        AtomicBoolean done = new AtomicBoolean();
        Set<String> modes = ConcurrentHashMap.newKeySet();
        try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
            Future<?> watching = pool.submit(() -> {
                while (!done.get()) {
                    for (Path file : filesInFolder()) {
                        noteMode(file, modes);
                    }
                }
                return null;
            });
            for (int i = 0; i < 300; i++) {
                UnixSocket.listen(path, 0600).close();
            }
            done.set(true);
            watching.get();
        } finally {
            done.set(true);
            int during = (int) UMASK.invokeExact(before);
            assertThat(during).isZero();
        }
        assertThat(modes).isSubsetOf("600");
    }

    private static void noteMode(Path file, Set<String> modes) {
        try {
            modes.add(Integer.toOctalString(FileIo.status(file).permissions()));
        } catch (LinuxException e) {
            assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        }
    }

    @Test
    void replacesAStaleSocketWithoutAGap() throws Exception {
        try (ServerSocketChannel stale = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            stale.bind(UnixDomainSocketAddress.of(path));
        }
        assertThat(path).exists();
        AtomicBoolean done = new AtomicBoolean();
        AtomicBoolean missed = new AtomicBoolean();
        try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
            Future<?> watching = pool.submit(() -> {
                while (!done.get()) {
                    if (!Files.exists(path)) {
                        missed.set(true);
                    }
                }
            });
            try (UnixSocket listener = UnixSocket.listen(path, 0600)) {
                done.set(true);
                watching.get();
                try (UnixSocket client = UnixSocket.connect(path);
                        UnixSocket server = listener.accept()) {
                    assertThat(server.peerCredentials()).isEqualTo(client.peerCredentials());
                }
                assertThat(filesInFolder()).containsExactly(path);
            } finally {
                done.set(true);
            }
        }
        assertThat(missed).isFalse();
    }

    @Test
    void aSocketWhoseConnectionsOutliveItIsStale() throws IOException {
        UnixSocket first = UnixSocket.listen(path, 0600);
        Path kept = folder.resolve("kept");
        Files.createLink(kept, path);
        try (UnixSocket client = UnixSocket.connect(path);
                UnixSocket server = first.accept()) {
            first.close();
            Files.move(kept, path);
            try (UnixSocket second = UnixSocket.listen(path, 0600)) {
                assertThat(second.fd().isOpen()).isTrue();
                assertThat(client.fd().isOpen() && server.fd().isOpen()).isTrue();
            }
        }
    }

    @Test
    void refusesALiveSocketAndLeavesItAlone() throws IOException {
        try (UnixSocket first = UnixSocket.listen(path, 0600)) {
            FileStatus status = FileIo.status(path);
            first.receiveTimeout(20);
            assertThatIOException()
                    .isThrownBy(() -> UnixSocket.listen(path, 0600))
                    .withMessageContaining(path.toString())
                    .withMessageContaining("a process listens there")
                    .withMessageContaining("choose another path");
            assertThat(FileIo.status(path)).isEqualTo(status);
            assertThat(filesInFolder()).containsExactly(path);
            // The question made no connection that the first would have to serve.
            assertThatIOException().isThrownBy(first::accept).withMessageContaining("EAGAIN");
        }
    }

    @Test
    void refusesALiveSocketOfAnotherProgram() throws IOException {
        try (ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            other.bind(UnixDomainSocketAddress.of(path));
            assertThatIOException().isThrownBy(() -> UnixSocket.listen(path, 0600));
        }
    }

    @Test
    void refusesWhatIsNoSocket() throws IOException {
        Files.writeString(path, "precious");
        assertThatIOException()
                .isThrownBy(() -> UnixSocket.listen(path, 0600))
                .withMessageContaining(path.toString())
                .withMessageContaining("is no socket");
        assertThat(path).hasContent("precious");
        Path link = folder.resolve("link");
        Files.createSymbolicLink(link, folder.resolve("nowhere"));
        assertThatIOException().isThrownBy(() -> UnixSocket.listen(link, 0600));
        assertThat(Files.isSymbolicLink(link)).isTrue();
        assertThatIOException().isThrownBy(() -> UnixSocket.listen(folder, 0600));
    }

    @Test
    void acceptsTheLongestPathAndRefusesALongerOne() throws IOException {
        Path folderWithOne = folder.resolve("x");
        int room = SocketAddress.MAX_PATH_BYTES - folder.toString().length() - 1;
        Path longest = folder.resolve("s".repeat(room));
        try (UnixSocket listener = UnixSocket.listen(longest, 0600);
                UnixSocket client = UnixSocket.connect(longest)) {
            assertThat(client.fd().isOpen() && listener.fd().isOpen()).isTrue();
        }
        // A one-letter name at the very end leaves one letter for the name before the rename.
        Path deep = Files.createDirectories(folder.resolve("d".repeat(room - 2)));
        // Often enough that a name drawn at random would be the socket's own.
        for (int i = 0; i < 200; i++) {
            try (UnixSocket listener = UnixSocket.listen(deep.resolve("s"), 0600)) {
                assertThat(listener.fd().isOpen()).isTrue();
            }
        }
        long opened = Fd.openCount();
        Path tooLong = folder.resolve("s".repeat(room + 1));
        assertThatIOException()
                .isThrownBy(() -> UnixSocket.listen(tooLong, 0600))
                .withMessageContaining("108 bytes")
                .withMessageContaining("107");
        assertThatIOException().isThrownBy(() -> UnixSocket.connect(tooLong)).withMessageContaining("too long");
        assertThatIOException()
                .isThrownBy(() -> UnixSocket.listen(folderWithOne.resolve("s"), 0600))
                .withMessageContaining("ENOENT");
        assertThat(Fd.openCount()).isEqualTo(opened);
    }

    @Test
    void closingRemovesOnlyItsOwnFile() throws IOException {
        UnixSocket first = UnixSocket.listen(path, 0600);
        Files.delete(path);
        try (UnixSocket second = UnixSocket.listen(path, 0600)) {
            first.close();
            assertThat(path).exists();
            assertThat(second.fd().isOpen()).isTrue();
        }
        assertThat(path).doesNotExist();
        UnixSocket third = UnixSocket.listen(path, 0600);
        Files.delete(path);
        Files.writeString(path, "somebody else's");
        third.close();
        assertThat(path).exists();
        third.close();
    }

    @Test
    void ofManyWhoFindItStaleOneWins() throws Exception {
        int threads = 4;
        CyclicBarrier start = new CyclicBarrier(threads);
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            for (int round = 0; round < 60; round++) {
                if (round % 2 == 0) {
                    try (ServerSocketChannel stale = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                        stale.bind(UnixDomainSocketAddress.of(path));
                    }
                }
                List<Future<UnixSocket>> attempts = new ArrayList<>();
                for (int i = 0; i < threads; i++) {
                    attempts.add(pool.submit(() -> {
                        start.await();
                        return UnixSocket.listen(path, 0600);
                    }));
                }
                List<UnixSocket> winners = new ArrayList<>();
                for (Future<UnixSocket> attempt : attempts) {
                    try {
                        winners.add(attempt.get());
                    } catch (ExecutionException e) {
                        assertThat(e.getCause()).isInstanceOf(IOException.class).hasMessageContaining(path.toString());
                    }
                }
                assertThat(winners).hasSize(1);
                try (UnixSocket client = UnixSocket.connect(path)) {
                    winners.getFirst().receiveTimeout(5000);
                    winners.getFirst().accept().close();
                    assertThat(client.fd().isOpen()).isTrue();
                }
                assertThat(filesInFolder()).containsExactly(path);
                winners.getFirst().close();
                assertThat(filesInFolder()).isEmpty();
            }
        }
    }

    private List<Path> filesInFolder() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }
}
