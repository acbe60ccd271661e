package io.fairlead.linux;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * One end of a pipe, or of a stream socket, whose other end is in hands that are not trusted: no wait for it is without
 * an end. One thread reads or writes and closes; {@link #shutdown} may come from another, before the close.
 */
public final class PipeEnd implements AutoCloseable {
    private static final long STOP = 1;

    private final Fd fd;
    private final Epoll epoll;
    private final EventFd stop;

    private PipeEnd(Fd fd, Epoll epoll, EventFd stop) {
        this.fd = fd;
        this.epoll = epoll;
        this.stop = stop;
    }

    /** The end that is read. */
    public static PipeEnd reading(Fd fd) throws LinuxException {
        return adopt(fd, Epoll.EPOLLIN);
    }

    /** The end that is written. */
    public static PipeEnd writing(Fd fd) throws LinuxException {
        return adopt(fd, Epoll.EPOLLOUT);
    }

    /**
     * @param fd owned from now on, closed also where this fails
     * @throws LinuxException EPERM for a regular file, which is no pipe
     */
    private static PipeEnd adopt(Fd fd, int events) throws LinuxException {
        Epoll epoll = null;
        EventFd stop = null;
        boolean done = false;
        try {
            epoll = Epoll.create(fd.subject());
            stop = EventFd.create(fd.subject());
            epoll.add(fd.raw(), events, 0);
            epoll.add(stop.fd().raw(), Epoll.EPOLLIN, STOP);
            int flags = LinuxException.check(Libc.fcntl(fd.raw(), EventFd.F_GETFL, 0), "fcntl(F_GETFL)", fd.subject());
            int _ = LinuxException.check(
                    Libc.fcntl(fd.raw(), EventFd.F_SETFL, flags | FileIo.O_NONBLOCK), "fcntl(F_SETFL)", fd.subject());
            done = true;
            return new PipeEnd(fd, epoll, stop);
        } finally {
            if (!done) {
                if (stop != null) {
                    stop.close();
                }
                if (epoll != null) {
                    epoll.close();
                }
                fd.close();
            }
        }
    }

    /**
     * Waits for bytes.
     *
     * @param target native memory
     * @return how many came, 0 at the end of the stream
     * @throws IOException after {@link #shutdown}, or what read(2) fails with
     */
    public int read(MemorySegment target) throws IOException {
        for (; ; ) {
            awaitReady();
            int raw = fd.beginUse();
            long result;
            try {
                result = Libc.read(raw, target.address(), target.byteSize());
            } finally {
                fd.endUse();
                Reference.reachabilityFence(target);
            }
            if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                return (int) LinuxException.check(result, "read", fd.subject());
            }
        }
    }

    /**
     * Writes all of it, as fast as it is read.
     *
     * @param source native memory
     * @throws IOException after {@link #shutdown}, or what write(2) fails with, such as EPIPE where nobody reads
     */
    public void writeAll(MemorySegment source) throws IOException {
        for (long written = 0; written < source.byteSize(); ) {
            awaitReady();
            int raw = fd.beginUse();
            long result;
            try {
                result = Libc.write(raw, source.address() + written, source.byteSize() - written);
            } finally {
                fd.endUse();
                Reference.reachabilityFence(source);
            }
            if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                written += LinuxException.check(result, "write", fd.subject());
            }
        }
    }

    private void awaitReady() throws IOException {
        int count;
        do {
            count = epoll.await(-1);
        } while (count == 0);
        for (int i = 0; i < count; i++) {
            if (epoll.token(i) == STOP) {
                throw new IOException(fd.subject() + ": the transfer was ended");
            }
        }
    }

    /** Ends the wait of the other thread, and all that it would begin. */
    public void shutdown() {
        stop.signal();
    }

    @Override
    public void close() {
        epoll.close();
        stop.close();
        fd.close();
    }
}
