package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MappingTest {
    private static final int MFD_HUGETLB = 4;

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 4095, 4096, 4097, 0xc0000, 1_000_003})
    void sharesAnyPartOfAFile(long offset) throws IOException {
        long before = Mapping.openCount();
        try (Fd fd = Memfd.create("guest", 2 << 20);
                Mapping mapping = Mapping.shared(fd, offset, 5000, true);
                Mapping buffer = Mapping.anonymous(5000)) {
            assertThat(Mapping.openCount()).isEqualTo(before + 2);
            assertThat(mapping.byteCount()).isEqualTo(5000);
            assertThat(mapping.segment().byteSize()).isEqualTo(5000);
            for (int i = 0; i < 5000; i++) {
                mapping.segment().set(JAVA_BYTE, i, (byte) (i % 251));
            }
            assertThat(FileIo.pread(fd.raw(), buffer.segment().address(), 5000, offset))
                    .isEqualTo(5000);
            assertThat(buffer.segment().mismatch(mapping.segment())).isEqualTo(-1);
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> mapping.segment().get(JAVA_BYTE, 5000));
        }
        assertThat(Mapping.openCount()).isEqualTo(before);
    }

    @Test
    void outlivesItsDescriptorAndIsUnmappedOnce() throws IOException {
        Fd fd = Memfd.create("one of a kind", 8192);
        Mapping mapping = Mapping.shared(fd, 0, 8192, true);
        fd.close();
        mapping.segment().set(JAVA_LONG, 0, 42);
        assertThat(mapping.segment().get(JAVA_LONG, 0)).isEqualTo(42);
        assertThat(mapsOf("one of a kind")).isEqualTo(1);
        mapping.close();
        assertThat(mapsOf("one of a kind")).isZero();
        mapping.close();
        assertThatIllegalStateException().isThrownBy(() -> mapping.segment().get(JAVA_LONG, 0));
        assertThatIllegalStateException().isThrownBy(mapping::excludeFromDumps).withMessageContaining("one of a kind");
    }

    @Test
    void aReadOnlyOneRefusesWritesWithoutASignal() throws IOException {
        try (Fd fd = Memfd.create("guest", 4096);
                Mapping mapping = Mapping.shared(fd, 0, 4096, false)) {
            assertThat(mapping.segment().isReadOnly()).isTrue();
            assertThat(mapping.segment().get(JAVA_BYTE, 0)).isZero();
            assertThatThrownBy(() -> mapping.segment().set(JAVA_BYTE, 0, (byte) 1))
                    .isInstanceOf(IllegalArgumentException.class);
            mapping.populate();
        }
    }

    @Test
    void aShrunkFileIsACatchableErrorAndAFault() throws IOException {
        try (Fd fd = Memfd.create("shrinks", 8192);
                Mapping mapping = Mapping.shared(fd, 0, 8192, true);
                Fd other = Memfd.create("other", 4096)) {
            assertThat(FileIo.ftruncate(fd.raw(), 4096)).isZero();
            assertThat(mapping.segment().get(JAVA_BYTE, 4095)).isZero();
            assertThatExceptionOfType(InternalError.class)
                    .isThrownBy(() -> mapping.segment().get(JAVA_BYTE, 4096));
            assertThatExceptionOfType(InternalError.class)
                    .isThrownBy(() -> mapping.segment().fill((byte) 1));
            assertThat(FileIo.pread(other.raw(), mapping.segment().address() + 4096, 4096, 0))
                    .isEqualTo(-Errno.EFAULT);
        }
    }

    @Test
    void threadsMeetAClosedOneAsAnException() throws Exception {
        AtomicInteger closed = new AtomicInteger();
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            for (int round = 0; round < 100; round++) {
                Mapping mapping = Mapping.anonymous(1 << 16);
                MemorySegment segment = mapping.segment();
                List<Future<?>> readers = new ArrayList<>();
                CountDownLatch reading = new CountDownLatch(2);
                for (int i = 0; i < 2; i++) {
                    readers.add(pool.submit(() -> {
                        reading.countDown();
                        for (long at = 0; ; at = (at + 8) & 0xffff) {
                            segment.set(JAVA_LONG, at, at);
                        }
                    }));
                }
                reading.await();
                mapping.close();
                for (Future<?> reader : readers) {
                    try {
                        reader.get();
                    } catch (ExecutionException e) {
                        assertThat(e.getCause()).isInstanceOf(IllegalStateException.class);
                        closed.incrementAndGet();
                    }
                }
            }
        }
        assertThat(closed).hasValue(200);
    }

    @Test
    void anonymousMemoryIsZeroAndTakesAdvice() throws IOException {
        try (Mapping mapping = Mapping.anonymous(4 << 20)) {
            mapping.excludeFromDumps();
            mapping.populate();
            assertThat(mapping.segment().get(JAVA_LONG, (4 << 20) - 8)).isZero();
            try {
                mapping.adviseHugePages();
            } catch (LinuxException e) {
                // A kernel without transparent huge pages.
                assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            }
        }
    }

    @Test
    void refusesWhatCannotBeMapped() throws IOException {
        long before = Mapping.openCount();
        try (Fd fd = Memfd.create("guest", 4096)) {
            assertThatIllegalArgumentException().isThrownBy(() -> Mapping.shared(fd, 0, 0, true));
            assertThatIllegalArgumentException().isThrownBy(() -> Mapping.shared(fd, -1, 1, true));
            assertThatIllegalArgumentException().isThrownBy(() -> Mapping.shared(fd, Long.MAX_VALUE, 1, true));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> Mapping.shared(fd, 4095, Long.MAX_VALUE - 4095, true));
            assertThatIllegalArgumentException().isThrownBy(() -> Mapping.anonymous(-1));
            assertThatThrownBy(() -> Mapping.shared(fd, 0, 1L << 50, true))
                    .isInstanceOf(LinuxException.class)
                    .hasMessage("mmap guest: ENOMEM (Cannot allocate memory)");
        }
        try (EventFd event = EventFd.create("no memory")) {
            assertThatThrownBy(() -> Mapping.shared(event.fd(), 0, 1, true))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageStartingWith("mmap no memory: ENODEV");
        }
        assertThat(Mapping.openCount()).isEqualTo(before);
    }

    /** QEMU's regions of huge pages begin at any page: the alignment has to be the file's. */
    @Test
    void alignsToTheHugePagesOfAFile() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            int raw = Libc.memfdCreate(arena.allocateFrom("huge").address(), Memfd.MFD_CLOEXEC | MFD_HUGETLB);
            Assumptions.assumeTrue(raw >= 0, "not run, the kernel has no huge pages: " + Errno.name(-raw));
            try (Fd fd = Fd.adopt(raw, "huge")) {
                assertThat(FileIo.ftruncate(fd.raw(), 4 << 20)).isZero();
                try (Mapping mapping = Mapping.shared(fd, 0xc0000, 0x1000, true)) {
                    assertThat(mapping.byteCount()).isEqualTo(0x1000);
                } catch (LinuxException e) {
                    // No huge page is reserved; a wrong alignment would be EINVAL.
                    assertThat(e.errno()).isEqualTo(Errno.ENOMEM);
                }
            }
        }
    }

    @Test
    void sealsForbidShrinking() throws IOException {
        try (Fd fd = Memfd.create("sealed", 4096)) {
            assertThat(Memfd.seals(fd)).isZero();
            Memfd.addSeals(fd, Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_GROW);
            assertThat(Memfd.seals(fd)).isEqualTo(Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_GROW);
            assertThat(FileIo.ftruncate(fd.raw(), 0)).isEqualTo(-Errno.EPERM);
            assertThat(FileIo.ftruncate(fd.raw(), 8192)).isEqualTo(-Errno.EPERM);
            Memfd.addSeals(fd, Memfd.F_SEAL_SEAL);
            assertThatThrownBy(() -> Memfd.addSeals(fd, Memfd.F_SEAL_WRITE))
                    .hasMessage("fcntl(F_ADD_SEALS) sealed: EPERM (Operation not permitted)");
        }
    }

    @Test
    void aMemfdThatCannotBeLeavesNothingOpen() {
        long before = Fd.openCount();
        assertThatThrownBy(() -> Memfd.create("negative", -1)).hasMessageStartingWith("ftruncate negative: EINVAL");
        assertThatThrownBy(() -> Memfd.create("x".repeat(300), 1)).hasMessageStartingWith("memfd_create xxx");
        assertThat(Fd.openCount()).isEqualTo(before);
    }

    private static long mapsOf(String name) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> line.contains(name))
                .count();
    }
}
