package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The C library's functions for files, memory and events, one method each; those for sockets are in {@link
 * SocketCalls}. Every method returns what the function returns, or the negative error
 * number where it failed. Pointers are plain addresses: the caller keeps the memory alive for the length of the call.
 *
 * <p>Thread-safe. Allocates only at a thread's first call.
 */
final class Libc {
    private static final Linker LINKER = Linker.nativeLinker();

    private static final MethodHandle CLOSE = handle("close", JAVA_INT, JAVA_INT);
    private static final MethodHandle OPEN = variadic("open", 2, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT);
    private static final MethodHandle FCNTL = variadic("fcntl", 2, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle IOCTL = variadic("ioctl", 2, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle READ = handle("read", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle WRITE = handle("write", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle PREAD = handle("pread", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle PWRITE = handle("pwrite", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle PREADV2 =
            handle("preadv2", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle PWRITEV2 =
            handle("pwritev2", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle FDATASYNC = handle("fdatasync", JAVA_INT, JAVA_INT);
    private static final MethodHandle FSYNC = handle("fsync", JAVA_INT, JAVA_INT);
    private static final MethodHandle FALLOCATE =
            handle("fallocate", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle LSEEK = handle("lseek", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle COPY_FILE_RANGE =
            handle("copy_file_range", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
    private static final MethodHandle FLOCK = handle("flock", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle SYNCFS = handle("syncfs", JAVA_INT, JAVA_INT);
    private static final MethodHandle SETRLIMIT = handle("setrlimit", JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle FTRUNCATE = handle("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle MKFIFO = handle("mkfifo", JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle STATX =
            handle("statx", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle MMAP =
            handle("mmap", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle MUNMAP = handle("munmap", JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle MADVISE = handle("madvise", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
    private static final MethodHandle MEMFD_CREATE = handle("memfd_create", JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle EPOLL_CREATE1 = handle("epoll_create1", JAVA_INT, JAVA_INT);
    private static final MethodHandle EPOLL_CTL =
            handle("epoll_ctl", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle EPOLL_WAIT =
            handle("epoll_wait", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT);
    private static final MethodHandle SYSCALL = variadic(
            "syscall", 1, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle CLOCK_GETTIME = handle("clock_gettime", JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle GETRLIMIT = handle("getrlimit", JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle GETPAGESIZE = handle("getpagesize", JAVA_INT);
    private static final MethodHandle EVENTFD = handle("eventfd", JAVA_INT, JAVA_INT, JAVA_INT);

    private static final MethodHandle INOTIFY_INIT1 = handle("inotify_init1", JAVA_INT, JAVA_INT);
    private static final MethodHandle INOTIFY_ADD_WATCH =
            handle("inotify_add_watch", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT);

    private static final ThreadLocal<CallState> STATE = ThreadLocal.withInitial(CallState::new);

    private Libc() {}

    /** What one thread needs around a call. Freed some time after the thread has ended. */
    private static final class CallState {
        /** Where the linker leaves errno. */
        private final MemorySegment errno;
        /** Room for one small argument that goes by pointer. */
        private final MemorySegment scratch;

        CallState() {
            Arena arena = Arena.ofAuto();
            errno = arena.allocate(Linker.Option.captureStateLayout());
            scratch = arena.allocate(SCRATCH_BYTES, Long.BYTES);
        }
    }

    private static final long SCRATCH_BYTES = 256;

    /** 256 bytes, 8-byte aligned, of the calling thread; valid until its next use by the same thread. */
    static MemorySegment scratch() {
        return STATE.get().scratch;
    }

    static int close(int fd) {
        MemorySegment errno = errno();
        try {
            return result((int) CLOSE.invokeExact(errno, fd), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int open(long path, int flags, int mode) {
        MemorySegment errno = errno();
        try {
            return result((int) OPEN.invokeExact(errno, path, flags, mode), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int fcntl(int fd, int command, long argument) {
        MemorySegment errno = errno();
        try {
            return result((int) FCNTL.invokeExact(errno, fd, command, argument), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int ioctl(int fd, long request, long argument) {
        MemorySegment errno = errno();
        try {
            return result((int) IOCTL.invokeExact(errno, fd, request, argument), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long read(int fd, long address, long byteCount) {
        MemorySegment errno = errno();
        try {
            return result((long) READ.invokeExact(errno, fd, address, byteCount), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long write(int fd, long address, long byteCount) {
        MemorySegment errno = errno();
        try {
            return result((long) WRITE.invokeExact(errno, fd, address, byteCount), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long pread(int fd, long address, long byteCount, long offset) {
        MemorySegment errno = errno();
        try {
            return result((long) PREAD.invokeExact(errno, fd, address, byteCount, offset), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long pwrite(int fd, long address, long byteCount, long offset) {
        MemorySegment errno = errno();
        try {
            return result((long) PWRITE.invokeExact(errno, fd, address, byteCount, offset), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long preadv2(int fd, long iovecAddress, int iovecCount, long offset, int flags) {
        MemorySegment errno = errno();
        try {
            return result((long) PREADV2.invokeExact(errno, fd, iovecAddress, iovecCount, offset, flags), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long pwritev2(int fd, long iovecAddress, int iovecCount, long offset, int flags) {
        MemorySegment errno = errno();
        try {
            return result((long) PWRITEV2.invokeExact(errno, fd, iovecAddress, iovecCount, offset, flags), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int fdatasync(int fd) {
        MemorySegment errno = errno();
        try {
            return result((int) FDATASYNC.invokeExact(errno, fd), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int fsync(int fd) {
        MemorySegment errno = errno();
        try {
            return result((int) FSYNC.invokeExact(errno, fd), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int fallocate(int fd, int mode, long offset, long byteCount) {
        MemorySegment errno = errno();
        try {
            return result((int) FALLOCATE.invokeExact(errno, fd, mode, offset, byteCount), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long lseek(int fd, long offset, int whence) {
        MemorySegment errno = errno();
        try {
            return result((long) LSEEK.invokeExact(errno, fd, offset, whence), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long copyFileRange(int from, long fromOffset, int to, long toOffset, long byteCount) {
        MemorySegment errno = errno();
        try {
            return result(
                    (long) COPY_FILE_RANGE.invokeExact(errno, from, fromOffset, to, toOffset, byteCount, 0), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int flock(int fd, int operation) {
        MemorySegment errno = errno();
        try {
            return result((int) FLOCK.invokeExact(errno, fd, operation), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int syncfs(int fd) {
        MemorySegment errno = errno();
        try {
            return result((int) SYNCFS.invokeExact(errno, fd), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int setrlimit(int resource, long limit) {
        MemorySegment errno = errno();
        try {
            return result((int) SETRLIMIT.invokeExact(errno, resource, limit), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int ftruncate(int fd, long byteCount) {
        MemorySegment errno = errno();
        try {
            return result((int) FTRUNCATE.invokeExact(errno, fd, byteCount), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int mkfifo(long path, int mode) {
        MemorySegment errno = errno();
        try {
            return result((int) MKFIFO.invokeExact(errno, path, mode), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int statx(int folderFd, long path, int flags, int mask, long buffer) {
        MemorySegment errno = errno();
        try {
            return result((int) STATX.invokeExact(errno, folderFd, path, flags, mask, buffer), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int eventfd(int initial, int flags) {
        MemorySegment errno = errno();
        try {
            return result((int) EVENTFD.invokeExact(errno, initial, flags), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long mmap(long address, long byteCount, int protection, int flags, int fd, long offset) {
        MemorySegment errno = errno();
        try {
            return result((long) MMAP.invokeExact(errno, address, byteCount, protection, flags, fd, offset), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int munmap(long address, long byteCount) {
        MemorySegment errno = errno();
        try {
            return result((int) MUNMAP.invokeExact(errno, address, byteCount), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int madvise(long address, long byteCount, int advice) {
        MemorySegment errno = errno();
        try {
            return result((int) MADVISE.invokeExact(errno, address, byteCount, advice), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int memfdCreate(long name, int flags) {
        MemorySegment errno = errno();
        try {
            return result((int) MEMFD_CREATE.invokeExact(errno, name, flags), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int epollCreate1(int flags) {
        MemorySegment errno = errno();
        try {
            return result((int) EPOLL_CREATE1.invokeExact(errno, flags), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int epollCtl(int epoll, int operation, int fd, long event) {
        MemorySegment errno = errno();
        try {
            return result((int) EPOLL_CTL.invokeExact(errno, epoll, operation, fd, event), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int epollWait(int epoll, long events, int capacity, int timeoutMillis) {
        MemorySegment errno = errno();
        try {
            return result((int) EPOLL_WAIT.invokeExact(errno, epoll, events, capacity, timeoutMillis), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int clockGettime(int clock, long timespec) {
        MemorySegment errno = errno();
        try {
            return result((int) CLOCK_GETTIME.invokeExact(errno, clock, timespec), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int getrlimit(int resource, long limit) {
        MemorySegment errno = errno();
        try {
            return result((int) GETRLIMIT.invokeExact(errno, resource, limit), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int inotifyInit1(int flags) {
        MemorySegment errno = errno();
        try {
            return result((int) INOTIFY_INIT1.invokeExact(errno, flags), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int inotifyAddWatch(int fd, long path, int mask) {
        MemorySegment errno = errno();
        try {
            return result((int) INOTIFY_ADD_WATCH.invokeExact(errno, fd, path, mask), errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** A system call that the C library has no function for. */
    static long syscall(long number, long a, long b, long c, long d, long e, long f) {
        MemorySegment errno = errno();
        try {
            return result((long) SYSCALL.invokeExact(errno, number, a, b, c, d, e, f), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long pageBytes() {
        MemorySegment errno = errno();
        try {
            return (int) GETPAGESIZE.invokeExact(errno);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static MethodHandle handle(String name, MemoryLayout result, MemoryLayout... arguments) {
        return link(name, FunctionDescriptor.of(result, arguments), Linker.Option.captureCallState("errno"));
    }

    private static MethodHandle variadic(
            String name, int firstVariadic, MemoryLayout result, MemoryLayout... arguments) {
        return link(
                name,
                FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"),
                Linker.Option.firstVariadicArg(firstVariadic));
    }

    private static MethodHandle link(String name, FunctionDescriptor descriptor, Linker.Option... options) {
        MemorySegment symbol = LINKER.defaultLookup().findOrThrow(name);
        return LINKER.downcallHandle(symbol, descriptor, options);
    }

    static MemorySegment errno() {
        return STATE.get().errno;
    }

    static long result(long value, MemorySegment errno) {
        return value == -1 ? -errno.get(JAVA_INT, 0) : value;
    }

    static int result(int value, MemorySegment errno) {
        return value == -1 ? -errno.get(JAVA_INT, 0) : value;
    }

    /** A C function throws nothing; what arrives here is an error of the machine or of this class. */
    static RuntimeException unexpected(Throwable e) {
        if (e instanceof Error error) {
            throw error;
        }
        throw new IllegalStateException(e);
    }
}
