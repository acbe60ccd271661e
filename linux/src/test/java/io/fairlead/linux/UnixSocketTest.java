package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnixSocketTest {
    @TempDir
    Path folder;

    private UnixSocket left;
    private UnixSocket right;
    private Mapping memory;
    private MemorySegment buffer;

    @BeforeEach
    void connect() throws IOException {
        List<UnixSocket> pair = UnixSocket.socketPair("pair");
        left = pair.get(0);
        right = pair.get(1);
        memory = Mapping.anonymous(1 << 20);
        buffer = memory.segment();
    }

    @AfterEach
    void close() {
        left.close();
        right.close();
        memory.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 8, 253})
    void passesDescriptors(int count) throws IOException {
        long opened = Fd.openCount();
        List<Fd> sent = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            sent.add(Memfd.create("sent", 1000 + i));
        }
        buffer.setString(0, "message");
        left.sendAll(buffer, 0, 7, sent);
        List<Fd> received = new ArrayList<>();
        assertThat(right.receive(buffer, 100, 50, received)).isEqualTo(7);
        assertThat(buffer.getString(100)).isEqualTo("message");
        assertThat(received).hasSize(count);
        for (int i = 0; i < count; i++) {
            assertThat(FileIo.status(received.get(i)).sizeBytes()).isEqualTo(1000 + i);
        }
        assertThat(Fd.openCount()).isEqualTo(opened + 2L * count);
        received.forEach(Fd::close);
        sent.forEach(Fd::close);
        assertThat(Fd.openCount()).isEqualTo(opened);
    }

    @Test
    void refusesMoreDescriptorsThanTheKernelTakes() throws IOException {
        long files = OpenFiles.count();
        try (Fd fd = Memfd.create("many", 1)) {
            List<Fd> many = new ArrayList<>();
            for (int i = 0; i < 254; i++) {
                many.add(fd);
            }
            assertThatIllegalArgumentException().isThrownBy(() -> left.sendAll(buffer, 0, 1, many));
            assertThatIllegalArgumentException().isThrownBy(() -> left.sendAll(buffer, 0, 0, List.of(fd)));
            Fd closed = Memfd.create("closed", 1);
            closed.close();
            assertThatIllegalStateException().isThrownBy(() -> left.sendAll(buffer, 0, 1, List.of(fd, closed)));
        }
        // The uses that were begun have ended: nothing is held open.
        assertThat(OpenFiles.count()).isEqualTo(files);
    }

    @Test
    void closesWhatArrivesIncomplete() throws IOException {
        UnixSocket narrow = new UnixSocket(right.fd().duplicate(), null, 2);
        long opened = Fd.openCount();
        long files = OpenFiles.count();
        try (Fd fd = Memfd.create("sent", 1)) {
            left.sendAll(buffer, 0, 4, List.of(fd, fd, fd, fd, fd));
            List<Fd> received = new ArrayList<>();
            assertThatIOException()
                    .isThrownBy(() -> narrow.receive(buffer, 0, 4, received))
                    .withMessageContaining("did not arrive")
                    .withMessageContaining("ulimit -n");
            assertThat(received).isEmpty();
            assertThat(OpenFiles.count()).isEqualTo(files + 1);
            // The socket itself goes on.
            left.sendAll(buffer, 0, 4, List.of(fd, fd));
            assertThat(narrow.receive(buffer, 0, 4, received)).isEqualTo(4);
            assertThat(received).hasSize(2);
            received.forEach(Fd::close);
        }
        assertThat(Fd.openCount()).isEqualTo(opened);
        assertThat(OpenFiles.count()).isEqualTo(files);
        narrow.close();
    }

    @Test
    void descriptorsNeverReceivedAreClosedWithTheSocket() throws IOException {
        long files = OpenFiles.count();
        List<UnixSocket> pair = UnixSocket.socketPair("dropped");
        try (Fd fd = Memfd.create("sent", 1)) {
            pair.get(0).sendAll(buffer, 0, 1, List.of(fd));
        }
        pair.forEach(UnixSocket::close);
        assertThat(OpenFiles.count()).isEqualTo(files);
    }

    @Test
    void aSecondMessagesDescriptorsStayWithItsBytes() throws IOException {
        try (Fd first = Memfd.create("first", 1);
                Fd second = Memfd.create("second", 2)) {
            left.sendAll(buffer, 0, 4, List.of(first));
            left.sendAll(buffer, 0, 4, List.of(second));
            List<Fd> received = new ArrayList<>();
            assertThat(right.receive(buffer, 0, 100, received)).isEqualTo(4);
            assertThat(received).hasSize(1);
            assertThat(FileIo.status(received.getFirst()).sizeBytes()).isEqualTo(1);
            assertThat(right.receive(buffer, 0, 100, received)).isEqualTo(4);
            assertThat(received).hasSize(2);
            assertThat(FileIo.status(received.getLast()).sizeBytes()).isEqualTo(2);
            received.forEach(Fd::close);
        }
    }

    /** More bytes than the socket holds, with a descriptor that must come once. */
    @Test
    void sendsAllThroughASmallerSocket() throws Exception {
        long seed = 20260714;
        Random random = new Random(seed);
        byte[] bytes = new byte[900_000];
        random.nextBytes(bytes);
        MemorySegment.copy(bytes, 0, buffer, JAVA_BYTE, 0, bytes.length);
        try (Fd fd = Memfd.create("sent", 1);
                ExecutorService pool = Executors.newSingleThreadExecutor();
                Mapping target = Mapping.anonymous(bytes.length + 1)) {
            Future<?> sending = pool.submit(() -> {
                left.sendAll(buffer, 0, bytes.length, List.of(fd));
                left.shutdown();
                return null;
            });
            List<Fd> received = new ArrayList<>();
            long at = 0;
            while (true) {
                int count = right.receive(target.segment(), at, Math.min(60_000, bytes.length + 1 - at), received);
                if (count == 0) {
                    break;
                }
                at += count;
            }
            sending.get();
            assertThat(at).as("seed %d", seed).isEqualTo(bytes.length);
            assertThat(target.segment().asSlice(0, bytes.length).mismatch(buffer.asSlice(0, bytes.length)))
                    .isEqualTo(-1);
            assertThat(received).hasSize(1);
            received.forEach(Fd::close);
        }
    }

    @Test
    void theEndOfTheStreamIsZeroAndAGonePeerAnError() throws IOException {
        left.shutdown();
        assertThat(right.receive(buffer, 0, 10, new ArrayList<>())).isZero();
        assertThatThrownBy(() -> right.sendAll(buffer, 0, 10, List.of()))
                .isInstanceOf(LinuxException.class)
                .hasMessage("sendmsg pair: EPIPE (Broken pipe)");
        left.close();
        left.shutdown();
        right.shutdown();
    }

    @Test
    void timeoutsEndReceivingAndSending() throws IOException {
        right.receiveTimeout(20);
        assertThatThrownBy(() -> right.receive(buffer, 0, 10, new ArrayList<>()))
                .isInstanceOf(LinuxException.class)
                .hasMessageStartingWith("recvmsg pair: EAGAIN");
        left.sendTimeout(20);
        assertThatThrownBy(() -> {
                    for (int i = 0; i < 100; i++) {
                        left.sendAll(buffer, 0, 1 << 20, List.of());
                    }
                })
                .isInstanceOf(LinuxException.class)
                .hasMessageStartingWith("sendmsg pair: EAGAIN");
    }

    @Test
    void checksItsBuffer() {
        List<Fd> none = new ArrayList<>();
        assertThatThrownBy(() -> right.receive(buffer, 1 << 20, 1, none)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> right.receive(buffer, -1, 1, none)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> left.sendAll(buffer, 1, 1 << 20, none)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatIllegalArgumentException().isThrownBy(() -> right.receive(buffer, 0, 0, none));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> right.receive(MemorySegment.ofArray(new byte[10]), 0, 10, none))
                .withMessageContaining("native");
    }

    @Test
    void closingWakesThoseWhoWait() throws Exception {
        UnixSocket listener = UnixSocket.listen(folder.resolve("s"), 0600);
        long opened = Fd.openCount();
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            Future<Integer> receiving = pool.submit(() -> right.receive(buffer, 0, 1, new ArrayList<>()));
            Future<UnixSocket> accepting = pool.submit(listener::accept);
            awaitInSystemCall("recvmsg", "accept4");
            right.close();
            listener.close();
            assertThat(receiving.get()).isZero();
            assertThatThrownBy(accepting::get).hasMessageContaining("accept4").hasMessageContaining("EINVAL");
        }
        assertThat(Fd.openCount()).isEqualTo(opened - 2);
        assertThatIllegalStateException().isThrownBy(listener::accept);
        assertThatIllegalStateException().isThrownBy(() -> right.receive(buffer, 0, 1, new ArrayList<>()));
        assertThatIllegalStateException().isThrownBy(() -> right.sendAll(buffer, 0, 1, List.of()));
        right.close();
    }

    /** Waits until threads of this process sleep in these calls (x86-64 numbers). */
    private static void awaitInSystemCall(String... calls) {
        for (String call : calls) {
            String number = call.equals("recvmsg") ? "47" : "288";
            await().until(() -> {
                try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
                    return tasks.anyMatch(task -> currentCall(task).startsWith(number + " "));
                }
            });
        }
    }

    private static String currentCall(Path task) {
        try {
            return Files.readString(task.resolve("syscall"));
        } catch (IOException e) {
            return "";
        }
    }

    @Test
    void aFullListenerIsWaitedForOnlySoLong() throws IOException {
        Path path = folder.resolve("s");
        List<UnixSocket> clients = new ArrayList<>();
        try (UnixSocket listener = UnixSocket.listen(path, 0600)) {
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 10_000; i++) {
                            clients.add(UnixSocket.connect(path, 20));
                        }
                    })
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EAGAIN));
            assertThat(clients).isNotEmpty();
            listener.accept().close();
            clients.add(UnixSocket.connect(path, 10_000));
        } finally {
            clients.forEach(UnixSocket::close);
        }
    }

    @Test
    void knowsItsPeer() throws IOException {
        Path path = folder.resolve("s");
        try (UnixSocket listener = UnixSocket.listen(path, 0600);
                UnixSocket client = UnixSocket.connect(path);
                UnixSocket server = listener.accept()) {
            PeerCredentials peer = server.peerCredentials();
            assertThat(peer.pid()).isEqualTo((int) ProcessHandle.current().pid());
            assertThat(peer.uid()).isEqualTo(Files.getAttribute(path, "unix:uid"));
            assertThat(peer.gid()).isEqualTo(Files.getAttribute(path, "unix:gid"));
            client.shutdown();
            assertThat(server.receive(buffer, 0, 1, new ArrayList<>())).isZero();
        }
    }

    @Test
    void leaksNothingOverManyConnections() throws IOException {
        Path path = folder.resolve("s");
        try (UnixSocket listener = UnixSocket.listen(path, 0600);
                Fd fd = Memfd.create("sent", 1)) {
            long files = OpenFiles.count();
            long opened = Fd.openCount();
            for (int i = 0; i < 200; i++) {
                try (UnixSocket client = UnixSocket.connect(path);
                        UnixSocket server = listener.accept()) {
                    List<Fd> received = new ArrayList<>();
                    client.sendAll(buffer, 0, 1, List.of(fd, fd));
                    server.receive(buffer, 0, 1, received);
                    received.forEach(Fd::close);
                }
                assertThatThrownBy(() -> UnixSocket.connect(folder.resolve("nobody")))
                        .isInstanceOf(IOException.class);
                assertThatThrownBy(() -> UnixSocket.listen(path, 0600)).isInstanceOf(IOException.class);
            }
            assertThat(Fd.openCount()).isEqualTo(opened);
            assertThat(OpenFiles.count()).isEqualTo(files);
        }
    }
}
