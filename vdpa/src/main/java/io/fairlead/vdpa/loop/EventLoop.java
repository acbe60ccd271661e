package io.fairlead.vdpa.loop;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One platform thread that owns queues: it waits for their descriptors by epoll and, while they are busy, looks at them
 * without any system call.
 *
 * <p>A {@link Pollable} is asleep (nothing is done for it until its descriptor wakes it) or awake (polled round after
 * round). It falls asleep when it found nothing. Where requests follow each other within a few microseconds, falling
 * asleep costs more than looking again: a pollable that is woken soon after it fell asleep lingers a few microseconds
 * before it sleeps the next time. Each vain wait doubles the number of wake-ups after which it is tried again. An idle
 * device thus costs no processor time, and a slow one next to none. While others of the loop are busy, it sleeps only after
 * a longer pause.
 *
 * <p>{@link #execute}, {@link #call} and {@link #close} may be called from any thread; everything else on the loop's own.
 */
public final class EventLoop implements Executor, AutoCloseable {
    /** Told on the loop's thread that a descriptor is ready. */
    @FunctionalInterface
    public interface Handler {
        /** @param events epoll's event bits */
        void ready(int events);
    }

    /** Something that is polled while it is busy. All methods run on the loop's thread. */
    public interface Pollable {
        /**
         * Does what is there, a bounded share at a time.
         *
         * @return whether there was something
         */
        boolean poll();

        /**
         * Asks for wake-ups before it falls asleep.
         *
         * @return whether something came in the meantime, so that it must stay awake
         */
        boolean arm();

        /** It threw: it is asleep and will not be polled until it is woken again. */
        void failed(Throwable cause);
    }

    /** The polling state of one {@link Pollable}. */
    public final class Polling {
        private final Pollable pollable;
        private boolean awake;

        /** Whether it is given time before it falls asleep. */
        private boolean lingers;

        /** Nothing was found since {@link #lastWorkNanos}. */
        private boolean waiting;

        /** Waits in a row that were vain; each doubles how often none is tried. */
        private int vainWaits;

        private int wakeUpsWithoutWait;
        private long lastWorkNanos;
        private long asleepSinceNanos;

        private Polling(Pollable pollable) {
            this.pollable = pollable;
        }

        /** Has it polled from the next round on. On the loop's thread. */
        public void wake() {
            if (!awake) {
                awake = true;
                waiting = false;
                lastWorkNanos = System.nanoTime();
                boolean soon = lastWorkNanos - asleepSinceNanos < SOON_NANOS;
                lingers = soon && wakeUpsWithoutWait == 0;
                if (soon && wakeUpsWithoutWait > 0) {
                    wakeUpsWithoutWait--;
                }
                polled.add(this);
            }
        }

        /** Stops polling at once. On the loop's thread. */
        public void stop() {
            if (awake) {
                awake = false;
                if (lastWorker == this) {
                    lastWorker = null;
                }
                // The round under way may hold the list's index: it skips what is not awake and sweeps at its end.
                sweepNeeded = true;
            }
        }

        private void worked(long now) {
            lastWorkNanos = now;
            lastWorker = this;
            if (waiting) {
                waiting = false;
                vainWaits = 0;
            }
        }

        private boolean isLoopBusyWithOthers(long now) {
            Polling other = lastWorker;
            return other != null && other != this && other.awake && now - other.lastWorkNanos <= LINGER_NANOS;
        }

        private boolean mayFallAsleep(long now) {
            if (now - lastWorkNanos <= BUSY_LINGER_NANOS && isLoopBusyWithOthers(now)) {
                return false;
            }
            if (!lingers) {
                return true;
            }
            waiting = true;
            if (now - lastWorkNanos <= LINGER_NANOS) {
                return false;
            }
            lingers = false;
            vainWaits = Math.min(vainWaits + 1, MAX_VAIN_WAITS);
            wakeUpsWithoutWait = (1 << vainWaits) - 1;
            return true;
        }
    }

    /** Runs a task once, some time from now; may be set again and again. All on the loop's thread. */
    public final class Timer {
        private final Runnable task;
        private boolean set;
        private long dueNanos;

        private Timer(Runnable task) {
            this.task = task;
        }

        /**
         * Sets the time, also where another one was set.
         *
         * @param nanos from now on; the task runs up to a millisecond later
         */
        public void after(long nanos) {
            requireOnLoop();
            dueNanos = System.nanoTime() + nanos;
            if (!set) {
                set = true;
                timers.add(this);
            }
            nextTimerNanos = timers.size() == 1 || dueNanos - nextTimerNanos < 0 ? dueNanos : nextTimerNanos;
        }

        /** The task does not run unless the time is set again. */
        public void cancel() {
            requireOnLoop();
            if (set) {
                set = false;
                timers.remove(this);
            }
        }
    }

    /** How long a wait without sleeping may be: a few times the cost of falling asleep and waking. */
    private static final long LINGER_NANOS = 15_000;

    /**
     * How long one stays awake while others of the loop have work: a look costs next to nothing then, as the loop does not
     * sleep, and each wake-up that is saved is a system call of the driver and some of ours.
     */
    private static final long BUSY_LINGER_NANOS = 200_000;

    /** A wake-up this soon after falling asleep, most of it the cost of both, may mean that a wait would have paid. */
    private static final long SOON_NANOS = 200_000;

    private static final int MAX_VAIN_WAITS = 8;

    /** While queues are awake, the other descriptors are looked at this often. */
    private static final long EPOLL_INTERVAL_NANOS = 20_000;

    private static final long NANOS_PER_MILLI = 1_000_000;

    private static final long WAKE_TOKEN = 0;
    private static final Logger LOG = LoggerFactory.getLogger(EventLoop.class);

    private final Epoll epoll;
    private final EventFd wakeUp;
    private final Map<Long, Handler> handlers = new HashMap<>();
    private final Map<Integer, Long> tokens = new HashMap<>();
    private long nextToken = WAKE_TOKEN + 1;
    private final List<Polling> polled = new ArrayList<>();
    private boolean sweepNeeded;

    /** Who did something last. */
    private @Nullable Polling lastWorker;

    /** Those that are set. */
    private final List<Timer> timers = new ArrayList<>();

    /** Not after the first of them; meaningless where there are none. */
    private long nextTimerNanos;

    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final Deque<AutoCloseable> owned = new ArrayDeque<>();
    private volatile boolean asleep;
    private volatile boolean closing;
    private final Thread thread;

    /** Starts the thread. */
    public EventLoop(String name) throws IOException {
        epoll = Epoll.create(name);
        wakeUp = EventFd.create("wake-up of " + name);
        epoll.add(wakeUp.raw(), Epoll.EPOLLIN, WAKE_TOKEN);
        thread = Thread.ofPlatform().daemon().name(name).unstarted(this::run);
        thread.start();
    }

    public boolean isOnLoop() {
        return Thread.currentThread() == thread;
    }

    /**
     * Calls a handler whenever a descriptor is ready.
     *
     * @param events epoll's event bits, level-triggered
     */
    public void register(int fd, int events, Handler handler) throws IOException {
        requireOnLoop();
        long token = nextToken++;
        epoll.add(fd, events, token);
        handlers.put(token, handler);
        tokens.put(fd, token);
    }

    /** Ends {@link #register}; before the descriptor is closed. */
    public void unregister(int fd) throws IOException {
        requireOnLoop();
        Long token = tokens.remove(fd);
        if (token == null) {
            throw new IllegalStateException("descriptor " + fd + " is not registered");
        }
        handlers.remove(token);
        epoll.remove(fd);
    }

    /** A polling state for something that is asleep at first. */
    public Polling polling(Pollable pollable) {
        return new Polling(pollable);
    }

    /** A timer that is not set. Any thread. */
    public Timer timer(Runnable task) {
        return new Timer(task);
    }

    /** Closes something on the loop's thread when the loop ends; the youngest first. */
    public void closeAtEnd(AutoCloseable resource) {
        requireOnLoop();
        owned.push(resource);
    }

    /** Runs a task on the loop's thread, in the order of the calls. */
    @Override
    public void execute(Runnable task) {
        if (closing) {
            throw new RejectedExecutionException(thread.getName() + " is closed");
        }
        tasks.add(task);
        if (asleep) {
            wakeUp.signal();
        }
    }

    /**
     * Runs something on the loop's thread and waits for it; at once where this is the loop's thread.
     *
     * @throws IOException what the task threw
     */
    public <T extends @org.jspecify.annotations.Nullable Object> T call(Callable<T> callable) throws IOException {
        FutureTask<T> task = new FutureTask<>(callable);
        if (isOnLoop()) {
            task.run();
        } else {
            execute(task);
        }
        return Waiting.forResult(task);
    }

    private void run() {
        try {
            while (!closing) {
                round();
            }
        } finally {
            runTasks();
            for (AutoCloseable resource : owned) {
                contain("closing " + resource, () -> {
                    resource.close();
                    return true;
                });
            }
            epoll.close();
            wakeUp.close();
        }
    }

    private void round() {
        long lastEpollNanos = 0;
        while (!polled.isEmpty() && !closing) {
            long now = System.nanoTime();
            pollAll(now);
            runTasks();
            runTimers(now);
            if (now - lastEpollNanos > EPOLL_INTERVAL_NANOS) {
                lastEpollNanos = now;
                await(0);
            }
        }
        asleep = true;
        // The volatile write above comes before the look at the tasks: a task added after it finds us asleep.
        await(tasks.isEmpty() && !closing ? untilTimer() : 0);
        asleep = false;
        runTasks();
        if (!timers.isEmpty()) {
            runTimers(System.nanoTime());
        }
    }

    /** Milliseconds until the first timer, rounded up; -1 where none is set. */
    private int untilTimer() {
        if (timers.isEmpty()) {
            return -1;
        }
        long nanos = nextTimerNanos - System.nanoTime();
        return Math.clamp(Math.ceilDiv(nanos, NANOS_PER_MILLI), 0, Integer.MAX_VALUE);
    }

    private void runTimers(long now) {
        if (timers.isEmpty() || now - nextTimerNanos < 0) {
            return;
        }
        long next = Long.MAX_VALUE;
        for (int i = timers.size() - 1; i >= 0; i--) {
            // A task may set and cancel timers.
            if (i < timers.size()) {
                Timer timer = timers.get(i);
                if (now - timer.dueNanos >= 0) {
                    timer.cancel();
                    contain("a timer", () -> {
                        timer.task.run();
                        return true;
                    });
                }
            }
        }
        for (int i = 0; i < timers.size(); i++) {
            next = Math.min(next, timers.get(i).dueNanos - now);
        }
        nextTimerNanos = now + next;
    }

    private void pollAll(long now) {
        for (int i = 0; i < polled.size(); i++) {
            Polling polling = polled.get(i);
            if (polling.awake) {
                poll(polling, now);
            }
        }
        if (sweepNeeded) {
            sweepNeeded = false;
            polled.removeIf(polling -> !polling.awake);
        }
    }

    private void poll(Polling polling, long now) {
        try {
            if (polling.pollable.poll()) {
                polling.worked(now);
            } else if (polling.awake && polling.mayFallAsleep(now) && !polling.pollable.arm()) {
                polling.asleepSinceNanos = now;
                polling.stop();
            } else {
                Thread.onSpinWait();
            }
        } catch (Throwable e) {
            polling.stop();
            polling.pollable.failed(e);
        }
    }

    private void await(int timeoutMillis) {
        int count;
        try {
            count = epoll.await(timeoutMillis);
        } catch (IOException e) {
            throw new IllegalStateException("epoll of " + thread.getName(), e);
        }
        for (int i = 0; i < count; i++) {
            long token = epoll.token(i);
            if (token == WAKE_TOKEN) {
                wakeUp.drain();
                continue;
            }
            Handler handler = handlers.get(token);
            if (handler != null) {
                try {
                    handler.ready(epoll.events(i));
                } catch (RuntimeException | Error e) {
                    LOG.error("{}: a handler failed", thread.getName(), e);
                }
            }
        }
    }

    private void runTasks() {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
            Runnable current = task;
            contain("a task", () -> {
                current.run();
                return true;
            });
        }
    }

    private void contain(String what, Callable<?> callable) {
        try {
            callable.call();
        } catch (Exception | Error e) {
            LOG.error("{}: {} failed", thread.getName(), what, e);
        }
    }

    private void requireOnLoop() {
        if (!isOnLoop()) {
            throw new IllegalStateException("only on the thread of " + thread.getName());
        }
    }

    /** Ends the thread after the tasks that were accepted and waits for it. */
    @Override
    public void close() {
        closing = true;
        wakeUpQuietly();
        if (!isOnLoop()) {
            Waiting.join(thread);
        }
    }

    private void wakeUpQuietly() {
        if (thread.isAlive()) {
            try {
                wakeUp.signal();
            } catch (IllegalStateException alreadyClosed) {
                // The thread ended between the look and the signal.
            }
        }
    }
}
