package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IoUringTest {
    private static final int FILE_BYTES = 1 << 20;

    @TempDir
    Path folder;

    private IoUring ring;
    private Fd file;
    private Mapping memory;
    private MemorySegment buffer;

    @BeforeEach
    void create() throws IOException {
        ring = newRing(8);
        file = FileIo.open(folder.resolve("data.img"), FileIo.O_RDWR | FileIo.O_CREAT, 0600);
        memory = Mapping.anonymous(1 << 20);
        buffer = memory.segment();
    }

    @AfterEach
    void close() {
        if (ring != null) {
            ring.close();
            file.close();
            memory.close();
        }
    }

    private static IoUring newRing(int entries) {
        @Nullable IoUring created = IoUring.tryCreate(entries);
        Assumptions.assumeTrue(created != null, "not run: " + IoUring.unavailableReason());
        return created;
    }

    /** Looks for the next completion, at most ten seconds: a test that waits in the kernel could not be ended. */
    private void awaitCompletion() {
        for (int i = 0; i < 100_000; i++) {
            if (ring.nextCompletion()) {
                return;
            }
            LockSupport.parkNanos(100_000);
        }
        throw new AssertionError("no completion, %d in flight".formatted(ring.inFlight()));
    }

    private void expect(long userData, int result) {
        awaitCompletion();
        assertThat(ring.completionUserData()).isEqualTo(userData);
        assertThat(ring.completionResult()).isEqualTo(result);
    }

    @Test
    void writesReadsAndSyncs() throws IOException {
        buffer.setString(0, "fairlead");
        assertThat(ring.write(file.raw(), buffer.address(), 8, 5_000_000_000L, -7))
                .isTrue();
        assertThat(ring.inFlight()).isZero();
        assertThat(ring.nextCompletion()).isFalse();
        assertThat(ring.submit()).isEqualTo(1);
        expect(-7, 8);
        assertThat(ring.inFlight()).isZero();
        ring.read(file.raw(), buffer.address() + 100, 100, 5_000_000_004L, 1L << 40);
        ring.submit();
        expect(1L << 40, 4);
        assertThat(buffer.getString(100)).isEqualTo("lead");
        ring.fdatasync(file.raw(), 3);
        ring.submit();
        expect(3, 0);
        ring.fallocate(file.raw(), 0, 5_000_000_000L, 1 << 20, 4);
        ring.submit();
        expect(4, 0);
        assertThat(Files.size(folder.resolve("data.img"))).isEqualTo(5_000_000_000L + (1 << 20));
        int punch = FileIo.FALLOC_FL_PUNCH_HOLE | FileIo.FALLOC_FL_KEEP_SIZE;
        ring.fallocate(file.raw(), punch, 5_000_000_000L, 4, 5);
        ring.submit();
        expect(5, 0);
        assertThat(FileIo.pread(file.raw(), buffer.address(), 8, 5_000_000_000L))
                .isEqualTo(8);
        assertThat(buffer.get(JAVA_BYTE, 3)).isZero();
        assertThat(buffer.getString(4)).isEqualTo("lead");
        assertThat(ring.submit()).isZero();
        assertThat(ring.nextCompletion()).isFalse();
    }

    @Test
    void scattersAndGathersWithFlags() {
        for (int i = 0; i < 4096; i++) {
            buffer.set(JAVA_BYTE, i, (byte) (i * 7));
        }
        long vectors = 64 * 1024;
        buffer.set(JAVA_LONG, vectors, buffer.address());
        buffer.set(JAVA_LONG, vectors + 8, 1000);
        buffer.set(JAVA_LONG, vectors + 16, buffer.address() + 1000);
        buffer.set(JAVA_LONG, vectors + 24, 3096);
        ring.writev(file.raw(), buffer.address() + vectors, 2, 512, FileIo.RWF_DSYNC, 1);
        ring.submit();
        expect(1, 4096);
        buffer.set(JAVA_LONG, vectors, buffer.address() + 8192);
        ring.readv(file.raw(), buffer.address() + vectors, 1, 512 + 3000, 0, 2);
        ring.submit();
        expect(2, 1000);
        assertThat(buffer.asSlice(8192, 1000).mismatch(buffer.asSlice(3000, 1000)))
                .isEqualTo(-1);
        ring.readv(file.raw(), buffer.address() + vectors, 1, 0, 1 << 30, 3);
        ring.submit();
        awaitCompletion();
        assertThat(ring.completionResult()).isIn(-Errno.EOPNOTSUPP, -Errno.EINVAL);
    }

    @Test
    void reportsErrorsAsResults() throws IOException {
        ring.read(-1, buffer.address(), 1, 0, 1);
        ring.submit();
        expect(1, -Errno.EBADF);
        ring.write(file.raw(), 8, 100, 0, 2);
        ring.submit();
        expect(2, -Errno.EFAULT);
        List<UnixSocket> pair = UnixSocket.socketPair("nothing to read");
        buffer.set(JAVA_LONG, 0, buffer.address() + 64);
        buffer.set(JAVA_LONG, 8, 8);
        ring.readv(pair.get(0).fd().raw(), buffer.address(), 1, 0, FileIo.RWF_NOWAIT, 3);
        ring.submit();
        expect(3, -Errno.EAGAIN);
        pair.forEach(UnixSocket::close);
        // One bad request does not keep those after it.
        ring.read(-1, buffer.address(), 1, 0, 4);
        ring.write(file.raw(), buffer.address(), 1, 0, 5);
        int submitted = ring.submit();
        assertThat(submitted + ring.submit()).isEqualTo(2);
        Set<Long> seen = new HashSet<>();
        for (int i = 0; i < 2; i++) {
            awaitCompletion();
            seen.add(ring.completionUserData());
        }
        assertThat(seen).containsExactlyInAnyOrder(4L, 5L);
    }

    @Test
    void refusesMoreThanItsQueueHoldsUntilSubmitted() {
        assertThat(ring.capacity()).isEqualTo(8);
        for (int i = 0; i < 8; i++) {
            assertThat(ring.write(file.raw(), buffer.address(), 1, i, i)).isTrue();
        }
        assertThat(ring.write(file.raw(), buffer.address(), 1, 8, 8)).isFalse();
        assertThat(ring.read(file.raw(), buffer.address(), 1, 8, 8)).isFalse();
        assertThat(ring.fdatasync(file.raw(), 8)).isFalse();
        assertThat(ring.submit()).isEqualTo(8);
        assertThat(ring.inFlight()).isEqualTo(8);
        assertThat(ring.write(file.raw(), buffer.address(), 1, 8, 8)).isTrue();
        assertThat(ring.submit()).isEqualTo(1);
        Set<Long> seen = new HashSet<>();
        for (int i = 0; i < 9; i++) {
            awaitCompletion();
            assertThat(ring.completionResult()).isEqualTo(1);
            assertThat(seen.add(ring.completionUserData())).isTrue();
        }
        assertThat(seen).hasSize(9).allMatch(data -> data >= 0 && data <= 8);
    }

    @Test
    void losesNothingWhenCompletionsOverflow() {
        int submitted = 0;
        for (int i = 0; i < 100; i++) {
            ring.write(file.raw(), buffer.address(), 1, i, i);
            submitted += Math.max(0, ring.submit());
        }
        assertThat(submitted).isGreaterThan(16);
        while (ring.inFlight() < 100) {
            // The kernel may make the owner take completions before it takes more.
            int result = ring.submit();
            assertThat(result).isIn(-Errno.EBUSY, -Errno.EAGAIN, 0, 1);
            if (result <= 0) {
                break;
            }
        }
        int expected = ring.inFlight();
        Set<Long> seen = new HashSet<>();
        for (int i = 0; i < expected; i++) {
            awaitCompletion();
            assertThat(ring.completionResult()).isEqualTo(1);
            assertThat(seen.add(ring.completionUserData())).isTrue();
        }
        assertThat(ring.inFlight()).isZero();
        assertThat(seen).hasSize(expected);
    }

    @Test
    void wakesItsOwnerByAnEventFd() throws Exception {
        List<UnixSocket> pair = UnixSocket.socketPair("slow disk");
        try (EventFd event = EventFd.create("completions");
                Epoll epoll = Epoll.create("loop")) {
            ring.registerEventFd(event);
            epoll.add(event.raw(), Epoll.EPOLLIN, 9);
            for (int round = 0; round < 200; round++) {
                ring.read(pair.get(0).fd().raw(), buffer.address(), 8, 0, round);
                ring.submit();
                Thread writer = Thread.ofPlatform()
                        .start(() -> Libc.write(pair.get(1).fd().raw(), buffer.address() + 64, 8));
                boolean completed = false;
                while (!completed) {
                    // An early end of the sleep is allowed, a sleep without end is not.
                    long start = System.nanoTime();
                    int ready = epoll.await(10_000);
                    assertThat(System.nanoTime() - start)
                            .as("slept to the timeout")
                            .isLessThan(9_000_000_000L);
                    if (ready > 0) {
                        assertThat(epoll.token(0)).isEqualTo(9);
                        event.drain();
                        completed = ring.nextCompletion();
                    }
                }
                assertThat(ring.completionUserData()).isEqualTo(round);
                assertThat(ring.completionResult()).isEqualTo(8);
                writer.join();
            }
        } finally {
            pair.forEach(UnixSocket::close);
        }
    }

    @Test
    void signalsOnlyWhileNotificationsAreOn() throws IOException {
        try (EventFd event = EventFd.create("completions")) {
            ring.registerEventFd(event);
            ring.notifications(false);
            ring.write(file.raw(), buffer.address(), 1, 0, 1);
            ring.submit();
            expect(1, 1);
            assertThat(event.drain()).isFalse();
            ring.notifications(true);
            ring.write(file.raw(), buffer.address(), 1, 0, 2);
            ring.submit();
            expect(2, 1);
            assertThat(event.drain()).isTrue();
        }
    }

    @Test
    void closingEndsWhatIsInFlightBeforeItReturns() throws IOException {
        long files = OpenFiles.count();
        long mappings = Mapping.openCount();
        IoUring closing = newRing(8);
        List<UnixSocket> pair = UnixSocket.socketPair("never answers");
        for (int i = 0; i < 5; i++) {
            closing.read(pair.get(0).fd().raw(), buffer.address(), 8, 0, i);
        }
        assertThat(closing.submit()).isEqualTo(5);
        // Prepared, never submitted.
        closing.write(file.raw(), buffer.address(), 1, 99, 99);
        closing.close();
        closing.close();
        assertThat(closing.inFlight()).isZero();
        buffer.fill((byte) 0x55);
        try (Mapping answer = Mapping.anonymous(64)) {
            pair.get(1).sendAll(answer.segment(), 0, 64, List.of());
            assertThat(pair.get(0).receive(answer.segment(), 0, 64, new ArrayList<>()))
                    .as("bytes that no request of the closed ring has taken")
                    .isEqualTo(64);
        }
        assertThat(buffer.get(JAVA_BYTE, 0)).isEqualTo((byte) 0x55);
        assertThat(FileIo.status(file).sizeBytes()).isZero();
        pair.forEach(UnixSocket::close);
        assertThat(OpenFiles.count()).isEqualTo(files);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
        assertThatIllegalStateException().isThrownBy(() -> closing.notifications(true));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void agreesWithAModel(long seed) throws IOException {
        Random random = new Random(seed);
        byte[] model = new byte[FILE_BYTES];
        assertThat(FileIo.ftruncate(file.raw(), FILE_BYTES)).isZero();
        int slots = 16;
        int slotBytes = 8192;
        // At most one request per slot of the buffer and per stripe of the file at a time.
        Map<Long, int[]> pending = new HashMap<>();
        boolean[] busySlot = new boolean[slots];
        Set<Integer> busyStripes = new HashSet<>();
        long next = 0;
        for (int step = 0; step < 4000; step++) {
            int slot = random.nextInt(slots);
            int stripe = random.nextInt(FILE_BYTES / slotBytes);
            if (!busySlot[slot] && !busyStripes.contains(stripe)) {
                boolean write = random.nextBoolean();
                int length = 1 + random.nextInt(slotBytes);
                long address = buffer.address() + (long) slot * slotBytes;
                if (write) {
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    MemorySegment.copy(bytes, 0, buffer, JAVA_BYTE, (long) slot * slotBytes, length);
                    if (ring.write(file.raw(), address, length, (long) stripe * slotBytes, next)) {
                        System.arraycopy(bytes, 0, model, stripe * slotBytes, length);
                        note(pending, busySlot, busyStripes, next++, slot, stripe, length, 0);
                    }
                } else if (ring.read(file.raw(), address, length, (long) stripe * slotBytes, next)) {
                    note(pending, busySlot, busyStripes, next++, slot, stripe, length, 1);
                }
            }
            if (random.nextInt(4) == 0) {
                assertThat(ring.submit()).as("seed %d", seed).isNotNegative();
            }
            while (random.nextBoolean() && ring.nextCompletion()) {
                finish(pending, busySlot, busyStripes, model, slotBytes, seed);
            }
        }
        ring.submit();
        while (ring.inFlight() > 0) {
            awaitCompletion();
            finish(pending, busySlot, busyStripes, model, slotBytes, seed);
        }
        assertThat(pending).isEmpty();
        assertThat(Files.readAllBytes(folder.resolve("data.img")))
                .as("seed %d", seed)
                .isEqualTo(model);
    }

    private static void note(
            Map<Long, int[]> pending,
            boolean[] busySlot,
            Set<Integer> busyStripes,
            long userData,
            int slot,
            int stripe,
            int length,
            int read) {
        pending.put(userData, new int[] {slot, stripe, length, read});
        busySlot[slot] = true;
        busyStripes.add(stripe);
    }

    private void finish(
            Map<Long, int[]> pending,
            boolean[] busySlot,
            Set<Integer> busyStripes,
            byte[] model,
            int slotBytes,
            long seed) {
        int[] request = pending.remove(ring.completionUserData());
        assertThat(request).as("seed %d", seed).isNotNull();
        assertThat(ring.completionResult()).as("seed %d", seed).isEqualTo(request[2]);
        if (request[3] == 1) {
            byte[] got =
                    buffer.asSlice((long) request[0] * slotBytes, request[2]).toArray(JAVA_BYTE);
            int from = request[1] * slotBytes;
            assertThat(got).as("seed %d", seed).isEqualTo(Arrays.copyOfRange(model, from, from + request[2]));
        }
        busySlot[request[0]] = false;
        busyStripes.remove(request[1]);
    }

    @Test
    void saysWhyThereIsNone() {
        assertThatThrownBy(() -> IoUring.create(8, 1 << 30))
                .isInstanceOf(LinuxException.class)
                .hasMessage("io_uring_setup ring of 8 entries: EINVAL (Invalid argument)");
        assertThat(IoUring.reason(new LinuxException("io_uring_setup", "x", Errno.EPERM)))
                .contains("io_uring_disabled");
        assertThat(IoUring.reason(new LinuxException("io_uring_setup", "x", Errno.ENOSYS)))
                .contains("no io_uring");
        assertThat(IoUring.reason(new LinuxException("io_uring_setup", "x", Errno.EMFILE)))
                .contains("EMFILE");
    }

    @Test
    void leaksNothing() {
        long opened = Fd.openCount();
        long files = OpenFiles.count();
        long mappings = Mapping.openCount();
        for (int i = 0; i < 20; i++) {
            newRing(64).close();
        }
        assertThat(Fd.openCount()).isEqualTo(opened);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
        assertThat(OpenFiles.count()).isEqualTo(files);
    }
}
