package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The C library's functions for sockets and for the files that stand for them; results as {@link Libc}.
 *
 * <p>Thread-safe.
 */
final class SocketCalls {
    private static final MethodHandle SOCKET = Libc.handle("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle BIND = Libc.handle("bind", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle LISTEN = Libc.handle("listen", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle ACCEPT4 =
            Libc.handle("accept4", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
    private static final MethodHandle CONNECT = Libc.handle("connect", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle SHUTDOWN = Libc.handle("shutdown", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle GETSOCKOPT =
            Libc.handle("getsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle SETSOCKOPT =
            Libc.handle("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle SOCKETPAIR =
            Libc.handle("socketpair", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle FCHMOD = Libc.handle("fchmod", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle FLOCK = Libc.handle("flock", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle CHMOD = Libc.handle("chmod", JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle UNLINK = Libc.handle("unlink", JAVA_INT, JAVA_LONG);
    private static final MethodHandle RENAMEAT2 =
            Libc.handle("renameat2", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle RECVMSG = Libc.handle("recvmsg", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle RECVFROM =
            Libc.handle("recvfrom", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle SENDMSG = Libc.handle("sendmsg", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);

    private SocketCalls() {}

    static int socket(int family, int type, int protocol) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) SOCKET.invokeExact(errno, family, type, protocol), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int bind(int fd, long address, int addressBytes) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) BIND.invokeExact(errno, fd, address, addressBytes), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int listen(int fd, int backlog) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) LISTEN.invokeExact(errno, fd, backlog), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int accept4(int fd, long address, long addressBytes, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) ACCEPT4.invokeExact(errno, fd, address, addressBytes, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int connect(int fd, long address, int addressBytes) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) CONNECT.invokeExact(errno, fd, address, addressBytes), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int shutdown(int fd, int how) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) SHUTDOWN.invokeExact(errno, fd, how), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int getsockopt(int fd, int level, int option, long value, long valueBytes) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) GETSOCKOPT.invokeExact(errno, fd, level, option, value, valueBytes), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int setsockopt(int fd, int level, int option, long value, int valueBytes) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) SETSOCKOPT.invokeExact(errno, fd, level, option, value, valueBytes), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int socketpair(int family, int type, int protocol, long fds) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) SOCKETPAIR.invokeExact(errno, family, type, protocol, fds), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int fchmod(int fd, int mode) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) FCHMOD.invokeExact(errno, fd, mode), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int flock(int fd, int operation) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) FLOCK.invokeExact(errno, fd, operation), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int chmod(long path, int mode) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) CHMOD.invokeExact(errno, path, mode), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int unlink(long path) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) UNLINK.invokeExact(errno, path), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static int renameat2(int oldFolder, long oldPath, int newFolder, long newPath, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result(
                    (int) RENAMEAT2.invokeExact(errno, oldFolder, oldPath, newFolder, newPath, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static long recvmsg(int fd, long message, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((long) RECVMSG.invokeExact(errno, fd, message, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static long recvfrom(int fd, long address, long byteCount, int flags, long sender, long senderBytes) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result(
                    (long) RECVFROM.invokeExact(errno, fd, address, byteCount, flags, sender, senderBytes), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    static long sendmsg(int fd, long message, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((long) SENDMSG.invokeExact(errno, fd, message, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
