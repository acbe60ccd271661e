package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** What runs once a request allocates nothing. */
class AllocationTest {
    private static final int ROUNDS = 10_000;

    private static void expectNone(Runnable call) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long allocated = Long.MAX_VALUE;
        // The first passes compile; a compiled one allocates nothing at all but for the measuring itself.
        for (int pass = 0; pass < 60 && allocated > ROUNDS; pass++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < ROUNDS; i++) {
                call.run();
            }
            allocated = threads.getCurrentThreadAllocatedBytes() - before;
        }
        assertThat(allocated).as("bytes in %d rounds", ROUNDS).isLessThanOrEqualTo(ROUNDS);
    }

    @Test
    void fileCalls() throws IOException {
        try (Fd fd = Memfd.create("data", 65536);
                Mapping memory = Mapping.anonymous(4096)) {
            int raw = fd.raw();
            long address = memory.segment().address();
            expectNone(() -> {
                FileIo.pread(raw, address, 512, 0);
                FileIo.pwrite(raw, address, 512, 0);
                FileIo.preadv2(raw, address, 0, 0, 0);
                FileIo.fdatasync(raw);
                BlockDevice.discard(raw, 0, 512);
                Self.threadCpuNanos();
            });
        }
    }

    @Test
    void eventCalls() throws IOException {
        try (EventFd event = EventFd.create("event");
                Epoll epoll = Epoll.create("loop")) {
            epoll.add(event.raw(), Epoll.EPOLLIN, 1);
            expectNone(() -> {
                event.signal();
                if (await(epoll) != 1 || epoll.token(0) != 1 || epoll.events(0) != Epoll.EPOLLIN || !event.drain()) {
                    throw new AssertionError();
                }
            });
        }
    }

    private static int await(Epoll epoll) {
        try {
            return epoll.await(0);
        } catch (LinuxException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void ringCalls() throws IOException {
        @Nullable IoUring created = IoUring.tryCreate(8);
        Assumptions.assumeTrue(created != null, "not run: " + IoUring.unavailableReason());
        try (IoUring ring = created;
                Fd fd = Memfd.create("data", 65536);
                Mapping memory = Mapping.anonymous(4096)) {
            int raw = fd.raw();
            long address = memory.segment().address();
            expectNone(() -> {
                ring.read(raw, address, 512, 0, 1);
                ring.write(raw, address, 512, 0, 2);
                ring.submit();
                while (ring.inFlight() > 0) {
                    if (ring.nextCompletion() && (ring.completionResult() != 512 || ring.completionUserData() == 0)) {
                        throw new AssertionError("result " + ring.completionResult());
                    }
                }
            });
        }
    }
}
