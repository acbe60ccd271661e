package io.fairlead.vdpa.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EventLoopTest {
    @Test
    void tasksRunOnTheLoopInOrderAndCallsReturnWhatTheyMade() throws Exception {
        long open = Fd.openCount();
        try (EventLoop loop = new EventLoop("test")) {
            List<Integer> seen = new ArrayList<>();
            for (int i = 0; i < 1000; i++) {
                int value = i;
                loop.execute(() -> seen.add(value));
            }
            assertThat(loop.<Integer>call(seen::size)).isEqualTo(1000);
            assertThat(seen).isSorted();
            assertThat(loop.<Boolean>call(loop::isOnLoop)).isTrue();
            assertThat(loop.isOnLoop()).isFalse();
            assertThatThrownBy(() -> loop.call(() -> {
                        throw new IOException("as thrown");
                    }))
                    .isInstanceOf(IOException.class)
                    .hasMessage("as thrown");
        }
        assertThat(Fd.openCount()).isEqualTo(open);
    }

    @Test
    void aTaskThatFailsHarmsNoOther() throws Exception {
        try (EventLoop loop = new EventLoop("test")) {
            loop.execute(() -> {
                throw new IllegalStateException("meant");
            });
            assertThat(loop.<String>call(() -> "alive")).isEqualTo("alive");
        }
    }

    @Test
    void aClosedLoopRefusesTasksAndClosesWhatItOwnsYoungestFirst() throws Exception {
        List<String> closed = new ArrayList<>();
        EventLoop loop = new EventLoop("test");
        loop.call(() -> {
            loop.closeAtEnd(() -> closed.add("old"));
            loop.closeAtEnd(() -> closed.add("young"));
            return true;
        });
        loop.close();
        loop.close();
        assertThat(closed).containsExactly("young", "old");
        assertThatThrownBy(() -> loop.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
    }

    /** Counts down a number of items that another thread hands over, and sleeps when there are none. */
    private static final class Consumer implements EventLoop.Pollable {
        final AtomicLong available = new AtomicLong();
        final AtomicInteger arms = new AtomicInteger();
        final AtomicReference<Throwable> failure = new AtomicReference<>();
        volatile boolean armed;
        volatile boolean fail;
        long taken;

        @Override
        public boolean poll() {
            armed = false;
            if (fail) {
                throw new IllegalStateException("meant");
            }
            long count = available.getAndSet(0);
            taken += count;
            return count > 0;
        }

        @Override
        public boolean arm() {
            arms.incrementAndGet();
            armed = true;
            return available.get() > 0;
        }

        @Override
        public void failed(Throwable cause) {
            failure.set(cause);
        }
    }

    @Test
    void noWakeUpIsLostBetweenFallingAsleepAndKicking() throws Exception {
        try (EventLoop loop = new EventLoop("test");
                EventFd kick = EventFd.create("kick")) {
            Consumer consumer = new Consumer();
            loop.call(() -> {
                EventLoop.Polling polling = loop.polling(consumer);
                loop.register(kick.raw(), Epoll.EPOLLIN, events -> {
                    kick.drain();
                    polling.wake();
                });
                // As a queue does at its start: a first look, after which it asks for kicks.
                polling.wake();
                return true;
            });
            long items = 300_000;
            for (long i = 0; i < items; i++) {
                consumer.available.incrementAndGet();
                // As a driver does: kick only where the device asked for it.
                if (consumer.armed) {
                    kick.signal();
                }
                if (i % 64 == 0) {
                    Thread.onSpinWait();
                }
            }
            await().until(() -> loop.<Long>call(() -> consumer.taken) == items);
            assertThat(consumer.arms.get()).isPositive();
            loop.call(() -> {
                loop.unregister(kick.raw());
                return true;
            });
        }
    }

    @Test
    void aPollableThatThrowsIsPutToSleepAndToldAndCanBeWokenAgain() throws Exception {
        try (EventLoop loop = new EventLoop("test")) {
            Consumer consumer = new Consumer();
            consumer.fail = true;
            AtomicReference<EventLoop.Polling> polling = new AtomicReference<>();
            loop.call(() -> {
                polling.set(loop.polling(consumer));
                polling.get().wake();
                return true;
            });
            await().until(() -> consumer.failure.get() != null);
            consumer.fail = false;
            consumer.available.set(7);
            loop.execute(polling.get()::wake);
            await().until(() -> loop.<Long>call(() -> consumer.taken) == 7);
        }
    }

    @Test
    void aHandlerThatThrowsLeavesTheLoopAlive() throws Exception {
        try (EventLoop loop = new EventLoop("test");
                EventFd event = EventFd.create("event")) {
            CountDownLatch called = new CountDownLatch(2);
            loop.call(() -> {
                loop.register(event.raw(), Epoll.EPOLLIN, events -> {
                    event.drain();
                    called.countDown();
                    throw new IllegalStateException("meant");
                });
                return true;
            });
            event.signal();
            await().until(() -> called.getCount() == 1);
            event.signal();
            called.await();
            assertThatThrownBy(() -> loop.call(() -> {
                        loop.unregister(12345);
                        return true;
                    }))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void aSleepingLoopUsesNoProcessorTime() throws Exception {
        try (EventLoop loop = new EventLoop("test-idle")) {
            Consumer consumer = new Consumer();
            loop.call(() -> {
                loop.polling(consumer).wake();
                return true;
            });
            await().until(() -> consumer.armed);
            int arms = consumer.arms.get();
            Thread.sleep(300);
            assertThat(consumer.arms.get()).as("rounds made while idle").isEqualTo(arms);
        }
    }
}
