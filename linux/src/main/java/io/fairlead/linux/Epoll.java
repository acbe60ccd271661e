package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * An epoll instance. One thread calls {@link #await} and reads its outcome; every thread may add, change and remove
 * descriptors. Closing does not wake the thread in {@link #await}: signal an {@link EventFd} that it watches.
 *
 * <p>{@link #await}, {@link #token} and {@link #events} allocate nothing.
 */
public final class Epoll implements AutoCloseable {
    public static final int EPOLLIN = 1;
    public static final int EPOLLPRI = 2;
    public static final int EPOLLOUT = 4;
    public static final int EPOLLERR = 8;
    public static final int EPOLLHUP = 0x10;
    public static final int EPOLLRDHUP = 0x2000;
    public static final int EPOLLEXCLUSIVE = 1 << 28;
    public static final int EPOLLONESHOT = 1 << 30;
    public static final int EPOLLET = 1 << 31;

    static final int EPOLL_CLOEXEC = 0x80000;
    static final int EPOLL_CTL_ADD = 1;
    static final int EPOLL_CTL_DEL = 2;
    static final int EPOLL_CTL_MOD = 3;

    /** {@code struct epoll_event} is packed on x86-64 only. */
    static final long EVENT_BYTES = "aarch64".equals(System.getProperty("os.arch")) ? 16 : 12;

    static final long EVENT_EVENTS = 0;
    static final long EVENT_DATA = EVENT_BYTES - Long.BYTES;

    private static final int CAPACITY = 64;

    private final Fd fd;
    private final MemorySegment ready = Arena.ofAuto().allocate(CAPACITY * EVENT_BYTES, Long.BYTES);
    private int readyCount;

    private Epoll(Fd fd) {
        this.fd = fd;
    }

    public static Epoll create(String subject) throws LinuxException {
        int raw = LinuxException.check(Libc.epollCreate1(EPOLL_CLOEXEC), "epoll_create1", subject);
        return new Epoll(Fd.adopt(raw, subject));
    }

    /** The descriptor, still owned by this object; readable while an event is ready. */
    public Fd fd() {
        return fd;
    }

    /**
     * Watches a descriptor.
     *
     * @param events some of {@code EPOLL*}; EPOLLERR and EPOLLHUP are always among them
     * @param token comes back by {@link #token}
     */
    public void add(int descriptor, int events, long token) throws LinuxException {
        control(EPOLL_CTL_ADD, "epoll_ctl(EPOLL_CTL_ADD)", descriptor, events, token);
    }

    /** Changes what is watched of a descriptor. */
    public void modify(int descriptor, int events, long token) throws LinuxException {
        control(EPOLL_CTL_MOD, "epoll_ctl(EPOLL_CTL_MOD)", descriptor, events, token);
    }

    /**
     * Ends the watch, which has to be done before the descriptor is closed: a duplicate of it, here or in another
     * process, would keep it alive. An event that {@link #await} has already returned stays in its outcome.
     */
    public void remove(int descriptor) throws LinuxException {
        control(EPOLL_CTL_DEL, "epoll_ctl(EPOLL_CTL_DEL)", descriptor, 0, 0);
    }

    private void control(int operation, String call, int descriptor, int events, long token) throws LinuxException {
        int raw = fd.beginUse();
        try {
            MemorySegment event = Libc.scratch();
            event.set(JAVA_INT_UNALIGNED, EVENT_EVENTS, events);
            event.set(JAVA_LONG_UNALIGNED, EVENT_DATA, token);
            int result = Libc.epollCtl(raw, operation, descriptor, event.address());
            if (result < 0) {
                throw new LinuxException(call, "descriptor %d of %s".formatted(descriptor, fd.subject()), -result);
            }
        } finally {
            fd.endUse();
        }
    }

    /**
     * Sleeps until a watched descriptor has an event.
     *
     * @param timeoutMillis at most this long; 0 does not sleep, -1 has no limit
     * @return how many descriptors have events, at most 64 (the others come with the next call); 0 after the timeout or
     *     where a signal interrupted
     */
    public int await(int timeoutMillis) throws LinuxException {
        readyCount = 0;
        int raw = fd.beginUse();
        int result;
        try {
            result = Libc.epollWait(raw, ready.address(), CAPACITY, timeoutMillis);
        } finally {
            fd.endUse();
            Reference.reachabilityFence(ready);
        }
        if (result < 0) {
            if (result == -Errno.EINTR) {
                return 0;
            }
            throw new LinuxException("epoll_wait", fd.subject(), -result);
        }
        readyCount = result;
        return result;
    }

    /** The token of the i-th descriptor that the last {@link #await} found. */
    public long token(int i) {
        return ready.get(JAVA_LONG_UNALIGNED, Objects.checkIndex(i, readyCount) * EVENT_BYTES + EVENT_DATA);
    }

    /** The events of the i-th descriptor that the last {@link #await} found, some of {@code EPOLL*}. */
    public int events(int i) {
        return ready.get(JAVA_INT_UNALIGNED, Objects.checkIndex(i, readyCount) * EVENT_BYTES + EVENT_EVENTS);
    }

    /** Closes the instance; the watched descriptors stay open. */
    @Override
    public void close() {
        fd.close();
    }

    @Override
    public String toString() {
        return fd.toString();
    }
}
