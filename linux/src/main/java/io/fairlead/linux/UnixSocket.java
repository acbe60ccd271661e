package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A Unix stream socket that passes descriptors: a connection, or a listener made by {@link #listen}. Blocking; watch
 * {@link #fd} by {@link Epoll} to know when a call will not wait.
 *
 * <p>Thread-safe: one thread sends and one receives at a time, others wait. {@link #close} and {@link #shutdown} wake a
 * thread that waits in a call, which then ends as at the end of the stream or with an exception. Waiting pins a virtual
 * thread's carrier: use platform threads.
 */
public final class UnixSocket implements AutoCloseable {
    /** Most descriptors that go with one message. */
    public static final int MAX_DESCRIPTORS = SocketMessage.MAX_DESCRIPTORS;

    static final int SO_PEERCRED = 17;
    static final int SO_RCVTIMEO = 20;
    static final int SO_SNDTIMEO = 21;
    static final int SHUT_RD = 0;
    static final int SHUT_WR = 1;
    static final int SHUT_RDWR = 2;
    static final int MSG_PEEK = 2;
    static final int MSG_DONTWAIT = 0x40;
    static final int MSG_NOSIGNAL = 0x4000;
    static final int MSG_CMSG_CLOEXEC = 0x40000000;
    static final int F_SETFL = 4;
    static final int O_NONBLOCK = 0x800;
    static final int UCRED_SIZE = 12;
    static final int TIMEVAL_SIZE = 16;

    private final Fd fd;
    private final @Nullable SocketFile file;
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile boolean nonBlocking;
    private final ReentrantLock receiveLock = new ReentrantLock();
    private final ReentrantLock sendLock = new ReentrantLock();
    private final SocketMessage receiveMessage;
    private final SocketMessage sendMessage = new SocketMessage(MAX_DESCRIPTORS);

    private UnixSocket(Fd fd, @Nullable SocketFile file) {
        this(fd, file, MAX_DESCRIPTORS);
    }

    /** @param receivableDescriptors how many descriptors one message may bring */
    UnixSocket(Fd fd, @Nullable SocketFile file, int receivableDescriptors) {
        this.fd = fd;
        this.file = file;
        receiveMessage = new SocketMessage(receivableDescriptors);
    }

    /**
     * Listens at a path. A socket file that nobody listens on is replaced; the new one appears at once with its
     * permissions and ready for connections.
     *
     * @param mode permissions of the socket file, exactly these; to connect takes the right to write
     * @throws IOException where somebody listens there, the path is something else than a socket or longer than 107
     *     bytes; the message names the path and the remedy
     */
    public static UnixSocket listen(Path path, int mode) throws IOException {
        Fd socket = newSocket(path.toString());
        try {
            return new UnixSocket(socket, SocketFile.listen(socket, path, mode));
        } catch (Throwable e) {
            socket.close();
            throw e;
        }
    }

    /** Connects to a listener; waits while its queue of connections is full. */
    public static UnixSocket connect(Path path) throws IOException {
        return connect(path, 0);
    }

    /**
     * Connects to a listener, and waits a limited time where its queue of connections is full.
     *
     * @param timeoutMillis 0 for no limit; also the socket's {@link #sendTimeout} from then on
     * @throws LinuxException with EAGAIN after the timeout
     */
    public static UnixSocket connect(Path path, int timeoutMillis) throws IOException {
        Fd socket = newSocket(path.toString());
        try (Arena arena = Arena.ofConfined()) {
            if (timeoutMillis > 0) {
                timeout(socket, SO_SNDTIMEO, "setsockopt(SO_SNDTIMEO)", timeoutMillis);
            }
            MemorySegment address = SocketAddress.of(path, arena);
            int result;
            do {
                result = SocketCalls.connect(socket.raw(), address.address(), SocketAddress.SIZE);
            } while (result == -Errno.EINTR);
            LinuxException.check(result, "connect", path.toString());
            return new UnixSocket(socket, null);
        } catch (Throwable e) {
            socket.close();
            throw e;
        }
    }

    /** Takes ownership of a connected socket that came from elsewhere. */
    public static UnixSocket adopt(Fd connected) {
        return new UnixSocket(connected, null);
    }

    /** Two sockets connected with each other. */
    public static List<UnixSocket> socketPair(String subject) throws LinuxException {
        MemorySegment pair = Libc.scratch();
        int result = SocketCalls.socketpair(
                SocketAddress.AF_UNIX, SocketFile.SOCK_STREAM | SocketFile.SOCK_CLOEXEC, 0, pair.address());
        LinuxException.check(result, "socketpair", subject);
        return List.of(
                adopt(Fd.adopt(pair.get(JAVA_INT, 0), subject)),
                adopt(Fd.adopt(pair.get(JAVA_INT, Integer.BYTES), subject)));
    }

    private static Fd newSocket(String subject) throws LinuxException {
        int raw = SocketCalls.socket(SocketAddress.AF_UNIX, SocketFile.SOCK_STREAM | SocketFile.SOCK_CLOEXEC, 0);
        return Fd.adopt(LinuxException.check(raw, "socket", subject), subject);
    }

    /**
     * Waits for a connection to this listener.
     *
     * @throws LinuxException with EINVAL where the listener was shut down or closed meanwhile; EMFILE where this process
     *     has no descriptor left
     */
    public UnixSocket accept() throws LinuxException {
        int raw = fd.beginUse();
        try {
            int result;
            do {
                result = SocketCalls.accept4(raw, 0, 0, SocketFile.SOCK_CLOEXEC);
            } while (result == -Errno.EINTR);
            LinuxException.check(result, "accept4", fd.subject());
            return adopt(Fd.adopt(result, fd.subject()));
        } finally {
            fd.endUse();
        }
    }

    /**
     * Takes a connection that is there already, for {@link Epoll} to watch: nothing that is done with it waits. This listener
     * does not wait from the first such call on.
     *
     * @return null where none is there
     * @throws LinuxException EMFILE where this process has no descriptor left
     */
    public @Nullable UnixStream acceptNow() throws LinuxException {
        int raw = fd.beginUse();
        try {
            if (!nonBlocking) {
                LinuxException.check(Libc.fcntl(raw, F_SETFL, O_NONBLOCK), "fcntl(F_SETFL)", fd.subject());
                nonBlocking = true;
            }
            int result;
            do {
                result = SocketCalls.accept4(raw, 0, 0, SocketFile.SOCK_CLOEXEC | SocketFile.SOCK_NONBLOCK);
            } while (result == -Errno.EINTR || result == -Errno.ECONNABORTED);
            if (result == -Errno.EAGAIN) {
                return null;
            }
            return new UnixStream(Fd.adopt(LinuxException.check(result, "accept4", fd.subject()), fd.subject()));
        } finally {
            fd.endUse();
        }
    }

    /**
     * Waits for bytes and takes what is there, with the descriptors that came along.
     *
     * @param buffer native memory that stays alive during the call
     * @param offset where in the buffer the bytes go
     * @param byteCount at most this many, 1 or more
     * @param received gets the descriptors, owned by the caller from then on, close-on-exec
     * @return how many bytes; 0 at the end of the stream
     * @throws LinuxException with EAGAIN after {@link #receiveTimeout}; ECONNRESET where the peer left data unread
     * @throws IOException where descriptors were lost because of this process's limit of open files; none is kept, and
     *     the stream is of no more use
     */
    public int receive(MemorySegment buffer, long offset, long byteCount, List<Fd> received) throws IOException {
        if (byteCount <= 0) {
            throw new IllegalArgumentException("cannot receive " + byteCount + " bytes");
        }
        long address = addressOf(buffer, offset, byteCount);
        receiveLock.lock();
        try {
            int raw = fd.beginUse();
            try {
                long result;
                do {
                    receiveMessage.data(address, Math.min(byteCount, Integer.MAX_VALUE));
                    receiveMessage.expectDescriptors();
                    result = SocketCalls.recvmsg(raw, receiveMessage.address(), MSG_CMSG_CLOEXEC);
                } while (result == -Errno.EINTR);
                LinuxException.check(result, "recvmsg", fd.subject());
                takeDescriptors(received);
                return (int) result;
            } finally {
                fd.endUse();
            }
        } finally {
            receiveLock.unlock();
            Reference.reachabilityFence(buffer);
            Reference.reachabilityFence(this);
        }
    }

    private void takeDescriptors(List<Fd> received) throws IOException {
        if (!receiveMessage.isControlTruncated()) {
            receiveMessage.takeDescriptors(fd.subject(), received);
            return;
        }
        List<Fd> incomplete = new ArrayList<>();
        receiveMessage.takeDescriptors(fd.subject(), incomplete);
        incomplete.forEach(Fd::close);
        throw new IOException(
                "recvmsg %s: some of the descriptors sent did not arrive; raise the limit of open files (ulimit -n)"
                        .formatted(fd.subject()));
    }

    /**
     * Sends all bytes, waiting where the peer is slow. The descriptors go with the first byte.
     *
     * @param buffer native memory that stays alive during the call
     * @param byteCount 1 or more
     * @param descriptors at most {@link #MAX_DESCRIPTORS}, still owned by the caller
     * @throws LinuxException EPIPE or ECONNRESET where the peer is gone, EAGAIN after {@link #sendTimeout}; part of the
     *     bytes may have gone then, and the stream is of no more use
     */
    public void sendAll(MemorySegment buffer, long offset, long byteCount, List<Fd> descriptors) throws LinuxException {
        if (byteCount <= 0 || descriptors.size() > MAX_DESCRIPTORS) {
            throw new IllegalArgumentException(
                    "cannot send %d bytes with %d descriptors".formatted(byteCount, descriptors.size()));
        }
        long address = addressOf(buffer, offset, byteCount);
        int[] raw = new int[descriptors.size()];
        int held = 0;
        sendLock.lock();
        try {
            for (Fd descriptor : descriptors) {
                raw[held] = descriptor.beginUse();
                held++;
            }
            int socket = fd.beginUse();
            try {
                sendAll(socket, address, byteCount, raw);
            } finally {
                fd.endUse();
            }
        } finally {
            for (int i = 0; i < held; i++) {
                descriptors.get(i).endUse();
            }
            sendLock.unlock();
            Reference.reachabilityFence(buffer);
            Reference.reachabilityFence(this);
        }
    }

    private void sendAll(int socket, long address, long byteCount, int[] descriptors) throws LinuxException {
        long sent = 0;
        sendMessage.descriptors(descriptors, descriptors.length);
        while (sent < byteCount) {
            sendMessage.data(address + sent, byteCount - sent);
            long result = SocketCalls.sendmsg(socket, sendMessage.address(), MSG_NOSIGNAL);
            if (result == -Errno.EINTR) {
                continue;
            }
            LinuxException.check(result, "sendmsg", fd.subject());
            if (sent == 0) {
                sendMessage.descriptors(descriptors, 0);
            }
            sent += result;
        }
    }

    private static long addressOf(MemorySegment buffer, long offset, long byteCount) {
        if (!buffer.isNative()) {
            throw new IllegalArgumentException("not native memory: " + buffer);
        }
        Objects.checkFromIndexSize(offset, byteCount, buffer.byteSize());
        return buffer.address() + offset;
    }

    /**
     * Limits how long {@link #receive} and {@link #accept} wait.
     *
     * @param millis 0 for no limit
     */
    public void receiveTimeout(int millis) throws LinuxException {
        timeout(SO_RCVTIMEO, "setsockopt(SO_RCVTIMEO)", millis);
    }

    /**
     * Limits how long {@link #sendAll} waits for room each time.
     *
     * @param millis 0 for no limit
     */
    public void sendTimeout(int millis) throws LinuxException {
        timeout(SO_SNDTIMEO, "setsockopt(SO_SNDTIMEO)", millis);
    }

    private void timeout(int option, String call, int millis) throws LinuxException {
        timeout(fd, option, call, millis);
    }

    private static void timeout(Fd fd, int option, String call, int millis) throws LinuxException {
        int raw = fd.beginUse();
        try {
            MemorySegment timeval = Libc.scratch();
            timeval.set(JAVA_LONG, 0, millis / 1000);
            timeval.set(JAVA_LONG, Long.BYTES, millis % 1000 * 1000L);
            LinuxException.check(
                    SocketCalls.setsockopt(raw, SocketMessage.SOL_SOCKET, option, timeval.address(), TIMEVAL_SIZE),
                    call,
                    fd.subject());
        } finally {
            fd.endUse();
        }
    }

    /** Who made the other end of this connection. */
    public PeerCredentials peerCredentials() throws LinuxException {
        int raw = fd.beginUse();
        try {
            MemorySegment ucred = Libc.scratch().asSlice(0, 16);
            ucred.set(JAVA_INT, UCRED_SIZE, UCRED_SIZE);
            int result = SocketCalls.getsockopt(
                    raw, SocketMessage.SOL_SOCKET, SO_PEERCRED, ucred.address(), ucred.address() + UCRED_SIZE);
            LinuxException.check(result, "getsockopt(SO_PEERCRED)", fd.subject());
            return new PeerCredentials(ucred.get(JAVA_INT, 0), ucred.get(JAVA_INT, 4), ucred.get(JAVA_INT, 8));
        } finally {
            fd.endUse();
        }
    }

    /** The descriptor, still owned by this object. */
    public Fd fd() {
        return fd;
    }

    /**
     * Ends both directions: the peer sees the end of the stream, threads that wait in a call return. Does nothing where
     * the peer is gone or the socket is closed.
     */
    public void shutdown() {
        if (!closed.get()) {
            shutdownOpen();
        }
    }

    private void shutdownOpen() {
        if (!fd.isOpen()) {
            return;
        }
        int raw = fd.beginUse();
        try {
            // ENOTCONN: the peer is gone.
            SocketCalls.shutdown(raw, SHUT_RDWR);
        } finally {
            fd.endUse();
        }
    }

    /**
     * Shuts down and closes; further calls do nothing. A listener removes its socket file if it is still its own; a file
     * that cannot be removed stays, and the next {@link #listen} replaces it.
     */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        // While it still listens nobody else takes the path.
        if (file != null) {
            file.remove();
        }
        shutdownOpen();
        fd.close();
    }

    @Override
    public String toString() {
        return fd.toString();
    }
}
