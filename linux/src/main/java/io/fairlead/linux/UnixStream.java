package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * A connected Unix stream socket of an event loop: no call waits, none allocates. Watch {@link #fd} by {@link Epoll}.
 *
 * <p>One thread at a time.
 */
public final class UnixStream implements AutoCloseable {
    private final Fd fd;

    UnixStream(Fd fd) {
        this.fd = fd;
    }

    /**
     * Connects to a listener that has room for a connection now.
     *
     * @throws LinuxException ENOENT or ECONNREFUSED where nobody listens, EAGAIN where the listener's queue is full
     * @throws IOException also where the path is longer than 107 bytes
     */
    public static UnixStream connect(Path path) throws IOException {
        String subject = path.toString();
        int type = SocketFile.SOCK_STREAM | SocketFile.SOCK_CLOEXEC | SocketFile.SOCK_NONBLOCK;
        Fd socket = Fd.adopt(
                LinuxException.check(SocketCalls.socket(SocketAddress.AF_UNIX, type, 0), "socket", subject), subject);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = SocketAddress.of(path, arena);
            int result;
            do {
                result = SocketCalls.connect(socket.raw(), address.address(), SocketAddress.SIZE);
            } while (result == -Errno.EINTR);
            LinuxException.check(result, "connect", subject);
            return new UnixStream(socket);
        } catch (Throwable e) {
            socket.close();
            throw e;
        }
    }

    /** The descriptor, still owned by this object. */
    public Fd fd() {
        return fd;
    }

    /**
     * Takes bytes that are there.
     *
     * @param iovecAddress {@code struct iovec}s, which say where the bytes go: memory that stays during the call
     * @param iovecCount at most 1024
     * @return how many bytes; 0 at the end of the stream, or where there was room for none; or a negative error number,
     *     EAGAIN where nothing is there
     */
    public long receive(long iovecAddress, int iovecCount) {
        return receive(iovecAddress, iovecCount, UnixSocket.MSG_DONTWAIT);
    }

    /** As {@link #receive(long, int)}, but the bytes stay there. */
    public long peek(long iovecAddress, int iovecCount) {
        return receive(iovecAddress, iovecCount, UnixSocket.MSG_DONTWAIT | UnixSocket.MSG_PEEK);
    }

    private long receive(long iovecAddress, int iovecCount, int flags) {
        int raw = fd.beginUse();
        try {
            long result;
            do {
                result = SocketCalls.recvmsg(raw, message(iovecAddress, iovecCount), flags);
            } while (result == -Errno.EINTR);
            return result;
        } finally {
            fd.endUse();
        }
    }

    /**
     * Sends as many bytes as there is room for.
     *
     * @param iovecAddress as of {@link #receive(long, int)}
     * @return how many bytes; or a negative error number, EAGAIN where there is no room, EPIPE where the peer takes no more
     */
    public long send(long iovecAddress, int iovecCount) {
        int raw = fd.beginUse();
        try {
            long result;
            do {
                result = SocketCalls.sendmsg(
                        raw, message(iovecAddress, iovecCount), UnixSocket.MSG_DONTWAIT | UnixSocket.MSG_NOSIGNAL);
            } while (result == -Errno.EINTR);
            return result;
        } finally {
            fd.endUse();
        }
    }

    /** A message without a control part: descriptors that come along are closed by the kernel. */
    private static long message(long iovecAddress, int iovecCount) {
        MemorySegment message = Libc.scratch();
        message.asSlice(0, SocketMessage.MSGHDR_SIZE).fill((byte) 0);
        message.set(JAVA_LONG, SocketMessage.MSGHDR_IOV, iovecAddress);
        message.set(JAVA_LONG, SocketMessage.MSGHDR_IOVLEN, iovecCount);
        return message.address();
    }

    /** The peer reads the end of the stream after what was sent. */
    public void endSending() {
        shutdown(UnixSocket.SHUT_WR);
    }

    /** The peer can send no more. */
    public void endReceiving() {
        shutdown(UnixSocket.SHUT_RD);
    }

    private void shutdown(int how) {
        int raw = fd.beginUse();
        try {
            // ENOTCONN: the peer is gone.
            SocketCalls.shutdown(raw, how);
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
