package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventFdTest {
    @TempDir
    Path folder;

    @Test
    void signalsAddUpAndDrainAtOnce() throws IOException {
        try (EventFd event = EventFd.create("call of queue 0")) {
            assertThat(event.drain()).isFalse();
            event.signal();
            event.signal();
            assertThat(event.drain()).isTrue();
            assertThat(event.drain()).isFalse();
            assertThat(event.fd().subject()).isEqualTo("call of queue 0");
            assertThat(event.raw()).isEqualTo(event.fd().raw());
        }
    }

    @Test
    void aCounterAtItsEndStaysSignalled() throws IOException {
        try (EventFd event = EventFd.create("full");
                Mapping memory = Mapping.anonymous(8)) {
            memory.segment().set(ValueLayout.JAVA_LONG, 0, -2);
            assertThat(Libc.write(event.raw(), memory.segment().address(), 8)).isEqualTo(8);
            event.signal();
            assertThat(event.drain()).isTrue();
            assertThat(event.drain()).isFalse();
        }
    }

    @Test
    void anAdoptedOneNeverBlocks() throws IOException {
        int blocking = Libc.eventfd(0, EventFd.EFD_CLOEXEC);
        try (EventFd event = EventFd.adopt(Fd.adopt(blocking, "from a peer"))) {
            assertThat(event.drain()).isFalse();
            event.signal();
            assertThat(event.drain()).isTrue();
        }
    }

    @Test
    void closedOneThrows() throws IOException {
        long before = Fd.openCount();
        EventFd event = EventFd.create("closed one");
        event.close();
        event.close();
        assertThatIllegalStateException().isThrownBy(event::signal).withMessageContaining("closed one");
        assertThatIllegalStateException().isThrownBy(event::drain);
        assertThatIllegalStateException().isThrownBy(event::raw);
        assertThat(Fd.openCount()).isEqualTo(before);
    }

    @Test
    void tellsWhatIsNoEventFd() throws IOException {
        Path path = folder.resolve("file");
        Files.write(path, new byte[0]);
        Fd readOnly = FileIo.open(path, FileIo.O_RDONLY, 0);
        assertThat(EventFd.isEventFd(readOnly)).isFalse();
        try (EventFd event = EventFd.create("real")) {
            assertThat(EventFd.isEventFd(event.fd())).isTrue();
        }
        try (EventFd wrong = EventFd.adopt(readOnly)) {
            assertThatIllegalStateException().isThrownBy(wrong::signal).withMessageContaining("not open for writing");
        }
        try (EventFd wrong = EventFd.adopt(FileIo.open(path, FileIo.O_WRONLY, 0))) {
            assertThatIllegalStateException().isThrownBy(wrong::drain).withMessageContaining("not open for reading");
        }
    }

    /** A signal that races with a close must not land in a file that got the number. */
    @Test
    void aRacingCloseNeverLetsASignalReachAnotherFile() throws Exception {
        for (int round = 0; round < 500; round++) {
            EventFd event = EventFd.create("racing");
            CountDownLatch started = new CountDownLatch(1);
            Thread signaller = Thread.ofPlatform().start(() -> {
                started.countDown();
                try {
                    for (int i = 0; i < 20; i++) {
                        event.signal();
                    }
                } catch (IllegalStateException e) {
                    // Closed meanwhile.
                }
            });
            started.await();
            event.close();
            try (Fd first = Memfd.create("victim", 0);
                    Fd second = Memfd.create("victim", 0)) {
                signaller.join();
                assertThat(FileIo.status(first).sizeBytes()).isZero();
                assertThat(FileIo.status(second).sizeBytes()).isZero();
            }
        }
    }
}
