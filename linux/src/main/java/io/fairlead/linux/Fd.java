package io.fairlead.linux;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Owns one file descriptor and closes it exactly once, whoever else closes it at the same time.
 *
 * <p>Thread-safe. A number taken by {@link #raw} is not protected against a close by another thread (the number may
 * then mean another file): who takes it makes sure that the owner does not close meanwhile. Objects of this package
 * that are used by many threads hold the descriptor open for the length of each call.
 */
public final class Fd implements AutoCloseable {
    private static final AtomicLong OPEN = new AtomicLong();
    private static final int CLOSED = 1 << 31;
    private static final int F_DUPFD_CLOEXEC = 1030;

    private final int raw;
    private final String subject;

    /** Calls in progress in the low bits, {@link #CLOSED} once closed. */
    private final AtomicInteger state = new AtomicInteger();

    private Fd(int raw, String subject) {
        this.raw = raw;
        this.subject = subject;
        OPEN.incrementAndGet();
    }

    /**
     * Takes ownership of a descriptor that is already close-on-exec.
     *
     * @param raw the descriptor's number, 0 or more
     * @param subject what it is, for error messages
     */
    public static Fd adopt(int raw, String subject) {
        if (raw < 0) {
            throw new IllegalArgumentException("not a descriptor: " + raw + " for " + subject);
        }
        return new Fd(raw, subject);
    }

    /** How many instances are open in this process. */
    public static long openCount() {
        return OPEN.get();
    }

    /**
     * The descriptor's number.
     *
     * @throws IllegalStateException after {@link #close}
     */
    public int raw() {
        if (state.get() < 0) {
            throw closed();
        }
        return raw;
    }

    /** What the descriptor is, for error messages. */
    public String subject() {
        return subject;
    }

    public boolean isOpen() {
        return state.get() >= 0;
    }

    /** A second descriptor of the same open file, close-on-exec, owned by the caller. */
    public Fd duplicate() throws LinuxException {
        int descriptor = beginUse();
        try {
            return new Fd(
                    LinuxException.check(Libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 0), "fcntl(F_DUPFD_CLOEXEC)", subject),
                    subject);
        } finally {
            endUse();
        }
    }

    /**
     * Closes the descriptor; further calls do nothing. Where another thread is within a call of this package on it, that
     * call's end closes it.
     */
    @Override
    public void close() {
        int before = state.getAndUpdate(value -> value | CLOSED);
        if (before >= 0) {
            OPEN.decrementAndGet();
            if (before == 0) {
                Libc.close(raw);
            }
        }
    }

    /**
     * Keeps the number valid until {@link #endUse}.
     *
     * @return the descriptor's number
     * @throws IllegalStateException after {@link #close}
     */
    int beginUse() {
        for (; ; ) {
            int users = state.get();
            if (users < 0) {
                throw closed();
            }
            if (state.compareAndSet(users, users + 1)) {
                return raw;
            }
        }
    }

    /** Ends one {@link #beginUse}. */
    void endUse() {
        if (state.decrementAndGet() == CLOSED) {
            Libc.close(raw);
        }
    }

    private IllegalStateException closed() {
        return new IllegalStateException("closed: " + subject);
    }

    @Override
    public String toString() {
        return subject + " (descriptor " + raw + (isOpen() ? ")" : ", closed)");
    }
}
