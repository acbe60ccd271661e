package io.fairlead.testbed.blkio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.Errno;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The client and the peer's server, one driving the other. */
class BlkioTest {
    private static final int BYTES = 1 << 20;
    private static final int BLOCK = 4096;
    private static final Duration TIMEOUT = Duration.ofSeconds(20);

    @TempDir
    private Path folder;

    private byte[] content = new byte[0];
    private Path file = Path.of("");
    private BlkioLibrary library;
    private StorageDaemon daemon;

    @BeforeEach
    void serve() throws IOException {
        content = new byte[BYTES];
        new Random(7).nextBytes(content);
        file = Files.write(folder.resolve("disk, with a comma.raw"), content);
        try (Testbed testbed = Testbed.open(Progress.NONE)) {
            library = BlkioLibrary.load(testbed.libblkio().library());
            daemon =
                    StorageDaemon.start(StorageDaemon.Spec.of(testbed.storageDaemon(), file, folder.resolve("d.sock")));
        }
    }

    @AfterEach
    void end() {
        daemon.close();
        assertThat(daemon.sockets().getFirst()).doesNotExist();
    }

    private BlkioDevice connect(boolean readOnly) throws IOException {
        return library.startVhostUser(daemon.sockets().getFirst(), 1, readOnly);
    }

    private static void complete(BlkioQueue queue, BlkioCompletions completions, long token) throws IOException {
        assertThat(queue.await(completions, 1, TIMEOUT)).isEqualTo(1);
        completions.check();
        assertThat(completions.token(0)).isEqualTo(token);
    }

    @Test
    void readsWritesAndFlushes() throws IOException {
        BlkioCompletions completions = new BlkioCompletions(4);
        try (BlkioDevice device = connect(false);
                Arena arena = Arena.ofConfined()) {
            assertThat(device.capacityBytes()).isEqualTo(BYTES);
            assertThat(device.get("driver")).isEqualTo(BlkioLibrary.VHOST_USER);
            BlkioMemory memory = device.allocate(3 * BLOCK);
            BlkioQueue queue = device.queue(0);

            queue.read(2 * BLOCK, memory.segment().asSlice(0, BLOCK), 1L << 40);
            complete(queue, completions, 1L << 40);
            assertThat(bytes(memory, 0, BLOCK)).isEqualTo(Arrays.copyOfRange(content, 2 * BLOCK, 3 * BLOCK));

            queue.write(5 * BLOCK, memory.segment().asSlice(0, BLOCK), 2, BlkioQueue.FUA);
            complete(queue, completions, 2);
            assertThat(Arrays.copyOfRange(Files.readAllBytes(file), 5 * BLOCK, 6 * BLOCK))
                    .isEqualTo(bytes(memory, 0, BLOCK));

            MemorySegment iovecs = BlkioQueue.iovecs(
                    arena,
                    memory.segment().asSlice(2 * BLOCK, 512),
                    memory.segment().asSlice(BLOCK, 512));
            queue.readv(7 * BLOCK, iovecs, 3);
            complete(queue, completions, 3);
            assertThat(bytes(memory, 2 * BLOCK, 512))
                    .isEqualTo(Arrays.copyOfRange(content, 7 * BLOCK, 7 * BLOCK + 512));
            assertThat(bytes(memory, BLOCK, 512))
                    .isEqualTo(Arrays.copyOfRange(content, 7 * BLOCK + 512, 7 * BLOCK + 1024));
            queue.writev(9 * BLOCK, iovecs, 4, 0);
            complete(queue, completions, 4);
            queue.flush(5);
            complete(queue, completions, 5);
            assertThat(Arrays.copyOfRange(Files.readAllBytes(file), 9 * BLOCK, 9 * BLOCK + 1024))
                    .isEqualTo(Arrays.copyOfRange(content, 7 * BLOCK, 7 * BLOCK + 1024));

            queue.writeZeroes(0, BLOCK, 6, BlkioQueue.NO_UNMAP);
            complete(queue, completions, 6);
            queue.discard(10 * BLOCK, BLOCK, 7);
            complete(queue, completions, 7);
            assertThat(Arrays.copyOf(Files.readAllBytes(file), BLOCK)).containsOnly(0);
            memory.close();
        }
    }

    @Test
    void severalRequestsGoAtOnceAndNothingIsLeftOpen() throws IOException {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        try (BlkioDevice device = connect(true)) {
            BlkioMemory memory = device.allocate(4 * BLOCK);
            BlkioQueue queue = device.queue(0);
            BlkioCompletions completions = new BlkioCompletions(3);
            for (long i = 0; i < 4; i++) {
                queue.read(i * BLOCK, memory.segment().address() + i * BLOCK, BLOCK, i);
            }
            int done = queue.await(completions, 2, TIMEOUT);
            assertThat(done).isBetween(2, 3);
            while (done < 4) {
                done += queue.poll(completions);
                completions.check();
            }
            assertThat(bytes(memory, 0, 4 * BLOCK)).isEqualTo(Arrays.copyOf(content, 4 * BLOCK));
            assertThat(queue.poll(completions)).isZero();
            assertThatThrownBy(() -> completions.token(0)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> device.queue(1)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    @Test
    void anEventTellsOfCompletions() throws IOException {
        try (BlkioDevice device = connect(true)) {
            BlkioMemory memory = device.allocate(BLOCK);
            BlkioQueue queue = device.queue(0);
            BlkioCompletions completions = new BlkioCompletions(1);
            queue.enableCompletionEvent(true);
            try (EventFd event = queue.completionEvent();
                    Epoll epoll = Epoll.create("test")) {
                epoll.add(event.raw(), Epoll.EPOLLIN, 0);
                queue.read(0, memory.segment(), 1);
                queue.submit();
                int count = 0;
                while (count == 0) {
                    assertThat(epoll.await((int) TIMEOUT.toMillis())).isEqualTo(1);
                    event.drain();
                    count = queue.poll(completions);
                }
                completions.check();
            }
            // The device's own descriptor is still open.
            queue.read(BLOCK, memory.segment(), 2);
            complete(queue, completions, 2);
        }
    }

    @Test
    void aPollQueueHasNoEvent() throws IOException {
        try (BlkioDevice device = library.create(BlkioLibrary.VHOST_USER)) {
            device.set("path", daemon.sockets().getFirst().toString());
            device.connect();
            assertThat(device.getBoolean("supports-poll-queues")).isTrue();
            device.set("num-queues", 0);
            device.set("num-poll-queues", 1);
            device.start();
            BlkioMemory memory = device.allocate(BLOCK);
            BlkioQueue queue = device.pollQueue(0);
            assertThatThrownBy(queue::completionEvent).isInstanceOf(IllegalStateException.class);
            queue.read(0, memory.segment(), 8);
            BlkioCompletions completions = new BlkioCompletions(1);
            assertThat(queue.await(completions, 1)).isEqualTo(1);
            assertThat(completions.token(0)).isEqualTo(8);
            assertThat(bytes(memory, 0, BLOCK)).isEqualTo(Arrays.copyOf(content, BLOCK));
        }
    }

    @Test
    void aFailedRequestHasItsErrorNumber() throws IOException {
        try (BlkioDevice device = connect(true)) {
            BlkioMemory memory = device.allocate(BLOCK);
            BlkioQueue queue = device.queue(0);
            BlkioCompletions completions = new BlkioCompletions(1);
            queue.write(0, memory.segment(), 3, 0);
            assertThat(queue.await(completions, 1, TIMEOUT)).isEqualTo(1);
            assertThat(completions.result(0)).isEqualTo(-Errno.EBADF);
            assertThatThrownBy(completions::check)
                    .isInstanceOfSatisfying(
                            BlkioException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EBADF))
                    .hasMessageStartingWith("request 3: ");
        }
    }

    @Test
    void refusalsSayWhatWasWrong() throws IOException {
        assertThatThrownBy(() -> library.create("no-such-driver"))
                .isInstanceOf(BlkioException.class)
                .hasMessageStartingWith("blkio_create(no-such-driver): ");
        assertThatThrownBy(() -> library.startVhostUser(folder.resolve("nobody.sock"), 1, false))
                .isInstanceOf(BlkioException.class)
                .hasMessageStartingWith("blkio_connect: ");
        try (BlkioDevice device = library.create(BlkioLibrary.VHOST_USER)) {
            assertThatThrownBy(() -> device.set("no-such-property", 1))
                    .isInstanceOf(BlkioException.class)
                    .hasMessageStartingWith("blkio_set_str(no-such-property=1): ");
            assertThatThrownBy(() -> device.get("capacity")).isInstanceOf(BlkioException.class);
        }
        BlkioDevice closed = connect(true);
        BlkioQueue queue = closed.queue(0);
        closed.close();
        closed.close();
        assertThatThrownBy(() -> closed.get("driver")).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(queue::submit).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> new BlkioCompletions(0)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aWaitEndsWithItsLimit() throws IOException {
        try (BlkioDevice device = connect(true)) {
            BlkioMemory memory = device.allocate(BLOCK);
            BlkioQueue queue = device.queue(0);
            BlkioCompletions completions = new BlkioCompletions(1);
            new ProcessBuilder("kill", "-STOP", Long.toString(daemon.pid()))
                    .start()
                    .onExit()
                    .join();
            try {
                queue.read(0, memory.segment(), 1);
                assertThat(queue.await(completions, 1, Duration.ofMillis(50))).isZero();
            } finally {
                new ProcessBuilder("kill", "-CONT", Long.toString(daemon.pid()))
                        .start()
                        .onExit()
                        .join();
            }
            complete(queue, completions, 1);
        }
    }

    @Test
    void bothProgramsHaveAVersion() throws IOException {
        assertThat(library.version()).matches("\\d+(\\.\\d+)*");
        try (Testbed testbed = Testbed.open(Progress.NONE)) {
            assertThat(StorageDaemon.version(testbed.storageDaemon())).matches("\\d+(\\.\\d+)+");
        }
        assertThatThrownBy(() -> StorageDaemon.version(List.of("true")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is no qemu-storage-daemon");
    }

    @Test
    void aDaemonThatCannotOpenTheFileSaysSo() throws IOException {
        try (Testbed testbed = Testbed.open(Progress.NONE)) {
            StorageDaemon.Spec spec = StorageDaemon.Spec.of(
                    testbed.storageDaemon(), folder.resolve("missing.raw"), folder.resolve("e.sock"));
            assertThatThrownBy(() -> StorageDaemon.start(spec))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("missing.raw");
        }
    }

    private static byte[] bytes(BlkioMemory memory, long offset, long byteCount) {
        return memory.segment().asSlice(offset, byteCount).toArray(ValueLayout.JAVA_BYTE);
    }
}
