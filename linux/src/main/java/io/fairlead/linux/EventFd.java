package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * An eventfd: wakes whoever sleeps on it, across threads and processes.
 *
 * <p>Thread-safe. {@link #signal} and {@link #drain} allocate nothing and hold the descriptor open while they run, so
 * that a close by another thread never lets them touch another file.
 */
public final class EventFd implements Signal {
    static final int EFD_CLOEXEC = 0x80000;
    static final int EFD_NONBLOCK = 0x800;
    static final int F_GETFL = 3;
    static final int F_SETFL = 4;

    /** The value that a signal writes; never changed. */
    private static final MemorySegment ONE = Arena.global().allocate(JAVA_LONG);

    /** Where the values read by {@link #drain} go, of all threads; never read. */
    private static final MemorySegment SINK = Arena.global().allocate(JAVA_LONG);

    static {
        ONE.set(JAVA_LONG, 0, 1);
    }

    private final Fd fd;

    private EventFd(Fd fd) {
        this.fd = fd;
    }

    /** A new one, non-blocking, close-on-exec, not signalled. */
    public static EventFd create(String subject) throws LinuxException {
        int raw = LinuxException.check(Libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd", subject);
        return new EventFd(Fd.adopt(raw, subject));
    }

    /**
     * Takes ownership of one that came from elsewhere and makes it non-blocking (for the other side too: the flag belongs
     * to the open file). Whether it is an eventfd at all is told by {@link #isEventFd}.
     */
    public static EventFd adopt(Fd fd) {
        int raw = fd.beginUse();
        try {
            int flags = Libc.fcntl(raw, F_GETFL, 0);
            if (flags >= 0 && (flags & FileIo.O_NONBLOCK) == 0) {
                // A refusal shows at the first call on the descriptor.
                Libc.fcntl(raw, F_SETFL, flags | FileIo.O_NONBLOCK);
            }
        } finally {
            fd.endUse();
        }
        return new EventFd(fd);
    }

    /** Whether a descriptor that came from a peer is an eventfd. */
    public static boolean isEventFd(Fd fd) throws IOException {
        int raw = fd.beginUse();
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(raw)))
                    .toString()
                    .equals("anon_inode:[eventfd]");
        } finally {
            fd.endUse();
        }
    }

    /** The descriptor, still owned by this object. */
    public Fd fd() {
        return fd;
    }

    /**
     * The descriptor's number.
     *
     * @throws IllegalStateException after {@link #close}
     */
    public int raw() {
        return fd.raw();
    }

    /**
     * Adds one to the counter. A counter at its end is signalled already and left as it is; other errors have nobody to
     * wake and are ignored.
     *
     * @throws IllegalStateException after {@link #close}, or where the descriptor is not open for writing
     */
    @Override
    public void signal() {
        int raw = fd.beginUse();
        try {
            long result;
            do {
                result = Libc.write(raw, ONE.address(), Long.BYTES);
            } while (result == -Errno.EINTR);
            if (result == -Errno.EBADF) {
                throw new IllegalStateException("not open for writing: " + fd.subject());
            }
        } finally {
            fd.endUse();
        }
    }

    /**
     * Sets the counter to zero.
     *
     * @return false where nothing had been signalled
     * @throws IllegalStateException after {@link #close}, or where the descriptor is not open for reading
     */
    public boolean drain() {
        int raw = fd.beginUse();
        try {
            long result;
            do {
                result = Libc.read(raw, SINK.address(), Long.BYTES);
            } while (result == -Errno.EINTR);
            if (result == -Errno.EBADF) {
                throw new IllegalStateException("not open for reading: " + fd.subject());
            }
            return result > 0;
        } finally {
            fd.endUse();
        }
    }

    @Override
    public void close() {
        fd.close();
    }

    @Override
    public String toString() {
        return fd.toString();
    }
}
