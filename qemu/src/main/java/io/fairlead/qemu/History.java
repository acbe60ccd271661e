package io.fairlead.qemu;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What came in so far, in order: a bounded list that forgets its oldest entries, with listeners, and with waiting for an
 * entry from a position on. One writer, any number of readers.
 */
final class History<T> {
    private final int capacity;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final ArrayDeque<T> entries = new ArrayDeque<>();
    private final CopyOnWriteArrayList<Consumer<T>> listeners = new CopyOnWriteArrayList<>();
    private long nextPosition;
    private boolean ended;

    History(int capacity) {
        this.capacity = capacity;
    }

    /** Adds an entry and tells the listeners, on this thread. */
    void add(T entry) {
        lock.lock();
        try {
            if (entries.size() == capacity) {
                entries.removeFirst();
            }
            entries.addLast(entry);
            nextPosition++;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        for (Consumer<T> listener : listeners) {
            listener.accept(entry);
        }
    }

    /** Nothing will come any more: waiters give up. */
    void end() {
        lock.lock();
        try {
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The position that the next entry will have. */
    long position() {
        lock.lock();
        try {
            return nextPosition;
        } finally {
            lock.unlock();
        }
    }

    /** The entries from a position on that are still known. */
    List<T> from(long position) {
        lock.lock();
        try {
            long first = nextPosition - entries.size();
            return entries.stream().skip(Math.max(0, position - first)).toList();
        } finally {
            lock.unlock();
        }
    }

    Runnable listen(Consumer<T> listener) {
        listeners.add(listener);
        return () -> listeners.remove(listener);
    }

    /**
     * Waits for the first entry from a position on that a predicate accepts.
     *
     * @return null where time ran out, or the end came first
     */
    @Nullable
    T await(long fromPosition, Predicate<? super T> wanted, Duration timeout) throws InterruptedException {
        long deadlineNanos = System.nanoTime() + timeout.toNanos();
        long position = fromPosition;
        while (true) {
            List<T> fresh;
            boolean over;
            lock.lock();
            try {
                long first = nextPosition - entries.size();
                fresh = new ArrayList<>(
                        entries.stream().skip(Math.max(0, position - first)).toList());
                position = nextPosition;
                over = ended;
            } finally {
                lock.unlock();
            }
            for (T entry : fresh) {
                if (wanted.test(entry)) {
                    return entry;
                }
            }
            if (over || !awaitPast(position, deadlineNanos)) {
                return null;
            }
        }
    }

    /** Waits until there is something at a position or the end came; false where time ran out. */
    private boolean awaitPast(long position, long deadlineNanos) throws InterruptedException {
        lock.lock();
        try {
            while (nextPosition == position && !ended) {
                long leftNanos = deadlineNanos - System.nanoTime();
                if (leftNanos <= 0) {
                    return false;
                }
                // The result is how much time is left; the loop asks the clock itself.
                long _ = changed.awaitNanos(Math.min(leftNanos, TimeUnit.SECONDS.toNanos(60)));
            }
            return true;
        } finally {
            lock.unlock();
        }
    }
}
