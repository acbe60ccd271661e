package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FdTest {
    private static final int F_GETFD = 1;

    @TempDir
    Path folder;

    @Test
    void knowsWhatItIsAndCloses() throws IOException {
        long before = Fd.openCount();
        Fd fd = Memfd.create("thing", 10);
        int raw = fd.raw();
        assertThat(fd.subject()).isEqualTo("thing");
        assertThat(fd.isOpen()).isTrue();
        assertThat(fd).hasToString("thing (descriptor " + raw + ")");
        assertThat(Fd.openCount()).isEqualTo(before + 1);
        fd.close();
        fd.close();
        assertThat(Fd.openCount()).isEqualTo(before);
        assertThat(fd.isOpen()).isFalse();
        assertThatIllegalStateException().isThrownBy(fd::raw).withMessageContaining("thing");
        assertThatIllegalStateException().isThrownBy(fd::duplicate);
        assertThatIllegalStateException().isThrownBy(fd::beginUse);
        assertThat(Libc.fcntl(raw, F_GETFD, 0)).isEqualTo(-Errno.EBADF);
    }

    @Test
    void adoptsNoNegativeNumber() {
        long before = Fd.openCount();
        assertThatIllegalArgumentException().isThrownBy(() -> Fd.adopt(-1, "thing"));
        assertThat(Fd.openCount()).isEqualTo(before);
    }

    @Test
    void aDuplicateLivesOn() throws IOException {
        Fd first = Memfd.create("thing", 10);
        try (Fd second = first.duplicate()) {
            assertThat(second.raw()).isNotEqualTo(first.raw());
            first.close();
            assertThat(FileIo.status(second).sizeBytes()).isEqualTo(10);
        }
    }

    @Test
    void aCloseWaitsForTheCallInProgress() throws IOException {
        Fd fd = Memfd.create("thing", 10);
        int raw = fd.beginUse();
        assertThat(fd.beginUse()).isEqualTo(raw);
        fd.close();
        assertThat(fd.isOpen()).isFalse();
        assertThat(Libc.fcntl(raw, F_GETFD, 0)).isPositive();
        fd.endUse();
        assertThat(Libc.fcntl(raw, F_GETFD, 0)).isPositive();
        fd.endUse();
        assertThat(Libc.fcntl(raw, F_GETFD, 0)).isEqualTo(-Errno.EBADF);
    }

    @Test
    void threadsThatRaceToCloseNeverCloseWhatCameAfter() throws Exception {
        int threads = 3;
        CyclicBarrier start = new CyclicBarrier(threads + 1);
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            for (int round = 0; round < 3000; round++) {
                Fd fd = Memfd.create("first", 1);
                List<Future<?>> closers = new ArrayList<>();
                for (int i = 0; i < threads; i++) {
                    boolean uses = i == 0 && round % 2 == 0;
                    closers.add(pool.submit(() -> {
                        start.await();
                        if (uses) {
                            use(fd);
                        }
                        fd.close();
                        return null;
                    }));
                }
                start.await();
                // Often gets the number that was just closed.
                List<Fd> victims = List.of(Memfd.create("second", 2), Memfd.create("second", 2));
                for (Future<?> closer : closers) {
                    closer.get();
                }
                for (Fd victim : victims) {
                    assertThat(FileIo.status(victim).sizeBytes()).isEqualTo(2);
                    victim.close();
                }
            }
        }
    }

    private static void use(Fd fd) {
        try {
            fd.beginUse();
            fd.endUse();
        } catch (IllegalStateException e) {
            assertThat(fd.isOpen()).isFalse();
        }
    }

    @Test
    void everyDescriptorIsCloseOnExec() throws Exception {
        Path path = folder.resolve("socket");
        try (Fd file = FileIo.open(folder.resolve("file"), FileIo.O_RDWR | FileIo.O_CREAT, 0600);
                Fd duplicate = file.duplicate();
                Fd memory = Memfd.create("memory", 1);
                EventFd event = EventFd.create("event");
                Epoll epoll = Epoll.create("epoll");
                UnixSocket listener = UnixSocket.listen(path, 0600);
                UnixSocket client = UnixSocket.connect(path);
                UnixSocket server = listener.accept();
                Mapping buffer = Mapping.anonymous(8)) {
            List<UnixSocket> pair = UnixSocket.socketPair("pair");
            List<Fd> received = new ArrayList<>();
            client.sendAll(buffer.segment(), 0, 1, List.of(memory));
            server.receive(buffer.segment(), 0, 1, received);
            List<Fd> all = new ArrayList<>(List.of(file, duplicate, memory, event.fd(), epoll.fd()));
            all.addAll(List.of(listener.fd(), client.fd(), server.fd(), received.getFirst()));
            pair.forEach(socket -> all.add(socket.fd()));
            for (Fd fd : all) {
                assertThat(OpenFiles.isCloseOnExec(fd)).as(fd.toString()).isTrue();
            }
            received.forEach(Fd::close);
            pair.forEach(UnixSocket::close);
        }
    }

    @Test
    void errorsSayCallSubjectAndReason() {
        Path missing = folder.resolve("missing.img");
        assertThatExceptionOfType(LinuxException.class)
                .isThrownBy(() -> FileIo.open(missing, FileIo.O_RDONLY, 0))
                .withMessage("open " + missing + ": ENOENT (No such file or directory)")
                .satisfies(e -> {
                    assertThat(e.call()).isEqualTo("open");
                    assertThat(e.subject()).isEqualTo(missing.toString());
                    assertThat(e.errno()).isEqualTo(Errno.ENOENT);
                });
        assertThat(new LinuxException("ioctl", "/dev/x", 515)).hasMessage("ioctl /dev/x: errno 515 (unknown error)");
        assertThat(Errno.name(0)).isEqualTo("errno 0");
        assertThat(Errno.name(-5)).isEqualTo("errno -5");
    }
}
