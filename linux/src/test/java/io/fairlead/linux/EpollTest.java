package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class EpollTest {
    private Epoll epoll;
    private EventFd event;

    @BeforeEach
    void create() throws IOException {
        epoll = Epoll.create("loop of queue 0");
        event = EventFd.create("event");
    }

    @AfterEach
    void close() {
        epoll.close();
        event.close();
    }

    @Test
    void reportsTokensAndEvents() throws IOException {
        long token = 0x8123_4567_89ab_cdefL;
        epoll.add(event.raw(), Epoll.EPOLLIN, token);
        assertThat(epoll.await(0)).isZero();
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> epoll.token(0));
        event.signal();
        assertThat(epoll.await(-1)).isEqualTo(1);
        assertThat(epoll.token(0)).isEqualTo(token);
        assertThat(epoll.events(0)).isEqualTo(Epoll.EPOLLIN);
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> epoll.events(1));

        epoll.modify(event.raw(), Epoll.EPOLLIN | Epoll.EPOLLOUT, 5);
        assertThat(epoll.await(0)).isEqualTo(1);
        assertThat(epoll.token(0)).isEqualTo(5);
        assertThat(epoll.events(0)).isEqualTo(Epoll.EPOLLIN | Epoll.EPOLLOUT);

        epoll.remove(event.raw());
        assertThat(epoll.await(0)).isZero();
    }

    @Test
    void edgeTriggeredOnesComeOncePerSignal() throws IOException {
        epoll.add(event.raw(), Epoll.EPOLLIN | Epoll.EPOLLET, 1);
        event.signal();
        assertThat(epoll.await(0)).isEqualTo(1);
        assertThat(epoll.await(0)).isZero();
        event.signal();
        assertThat(epoll.await(0)).isEqualTo(1);
    }

    @Test
    void reportsAllOfMoreDescriptorsThanOneCallReturns() throws IOException {
        List<EventFd> events = new ArrayList<>();
        try {
            for (int i = 0; i < 150; i++) {
                EventFd one = EventFd.create("event " + i);
                events.add(one);
                epoll.add(one.raw(), Epoll.EPOLLIN, -1L - i);
                one.signal();
            }
            Set<Long> seen = new HashSet<>();
            for (int calls = 0; calls < 3; calls++) {
                int ready = epoll.await(0);
                assertThat(ready).isBetween(1, 64);
                for (int i = 0; i < ready; i++) {
                    long token = epoll.token(i);
                    assertThat(epoll.events(i)).isEqualTo(Epoll.EPOLLIN);
                    assertThat(seen.add(token)).isTrue();
                    events.get((int) (-1 - token)).drain();
                }
            }
            assertThat(seen).hasSize(150);
            assertThat(epoll.await(0)).isZero();
        } finally {
            events.forEach(EventFd::close);
        }
    }

    @Test
    void wakesASleeper() throws Exception {
        epoll.add(event.raw(), Epoll.EPOLLIN, 7);
        Thread signaller = Thread.ofPlatform().start(event::signal);
        int ready = 0;
        while (ready == 0) {
            ready = epoll.await(-1);
        }
        assertThat(epoll.token(0)).isEqualTo(7);
        signaller.join();
    }

    @Test
    void errorsNameDescriptorAndLoop() throws IOException {
        assertThatThrownBy(() -> epoll.modify(event.raw(), Epoll.EPOLLIN, 0))
                .hasMessage(
                        "epoll_ctl(EPOLL_CTL_MOD) descriptor %d of loop of queue 0: ENOENT (No such file or directory)"
                                .formatted(event.raw()));
        epoll.add(event.raw(), Epoll.EPOLLIN, 0);
        assertThatThrownBy(() -> epoll.add(event.raw(), Epoll.EPOLLIN, 0)).hasMessageContaining("EEXIST");
        assertThatThrownBy(() -> epoll.remove(-1)).hasMessageContaining("EBADF");
        long before = Fd.openCount();
        epoll.close();
        epoll.close();
        assertThat(Fd.openCount()).isEqualTo(before - 1);
        assertThatIllegalStateException().isThrownBy(() -> epoll.await(0));
        assertThatIllegalStateException().isThrownBy(() -> epoll.remove(event.raw()));
    }
}
