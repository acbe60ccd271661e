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
 * The C library's functions, one method each. Every method returns what the function returns, or the negative error
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
    private static final MethodHandle FTRUNCATE = handle("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle STATX =
            handle("statx", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle EVENTFD = handle("eventfd", JAVA_INT, JAVA_INT, JAVA_INT);

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

    static int ftruncate(int fd, long byteCount) {
        MemorySegment errno = errno();
        try {
            return result((int) FTRUNCATE.invokeExact(errno, fd, byteCount), errno);
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

    private static MethodHandle handle(String name, MemoryLayout result, MemoryLayout... arguments) {
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

    private static MemorySegment errno() {
        return STATE.get().errno;
    }

    private static long result(long value, MemorySegment errno) {
        return value == -1 ? -errno.get(JAVA_INT, 0) : value;
    }

    private static int result(int value, MemorySegment errno) {
        return value == -1 ? -errno.get(JAVA_INT, 0) : value;
    }

    /** A C function throws nothing; what arrives here is an error of the machine or of this class. */
    private static RuntimeException unexpected(Throwable e) {
        if (e instanceof Error error) {
            throw error;
        }
        throw new IllegalStateException(e);
    }
}
