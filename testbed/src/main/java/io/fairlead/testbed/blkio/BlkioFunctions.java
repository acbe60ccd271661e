package io.fairlead.testbed.blkio;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fairlead.linux.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.invoke.MethodHandle;

/** The functions of libblkio 1.5's {@code blkio.h}. Handles of objects ({@code struct blkio *}) are plain addresses. */
final class BlkioFunctions {
    final MethodHandle getErrorMessage;
    final MethodHandle create;
    final MethodHandle connect;
    final MethodHandle start;
    final MethodHandle destroy;

    final MethodHandle getStr;
    final MethodHandle setStr;
    final MethodHandle mapMemRegion;
    final MethodHandle unmapMemRegion;
    final MethodHandle getQueue;
    final MethodHandle getPollQueue;

    final MethodHandle read;
    final MethodHandle write;
    final MethodHandle readv;
    final MethodHandle writev;
    final MethodHandle writeZeroes;
    final MethodHandle discard;
    final MethodHandle flush;
    final MethodHandle doIo;
    final MethodHandle getCompletionFd;
    final MethodHandle setCompletionFdEnabled;

    /** Of the C library: strings that libblkio returns belong to the caller; its descriptors do not. */
    final MethodHandle free;

    final MethodHandle dup;

    BlkioFunctions(NativeLibrary blkio) throws IOException {
        getErrorMessage = blkio.function("blkio_get_error_msg", FunctionDescriptor.of(JAVA_LONG));
        create = result(blkio, "blkio_create", ADDRESS, ADDRESS);
        connect = result(blkio, "blkio_connect", JAVA_LONG);
        start = result(blkio, "blkio_start", JAVA_LONG);
        destroy = nothing(blkio, "blkio_destroy", ADDRESS);

        getStr = result(blkio, "blkio_get_str", JAVA_LONG, ADDRESS, ADDRESS);
        setStr = result(blkio, "blkio_set_str", JAVA_LONG, ADDRESS, ADDRESS);
        mapMemRegion = result(blkio, "blkio_map_mem_region", JAVA_LONG, ADDRESS);
        unmapMemRegion = nothing(blkio, "blkio_unmap_mem_region", JAVA_LONG, ADDRESS);
        getQueue = blkio.function("blkio_get_queue", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT));
        getPollQueue = blkio.function("blkio_get_poll_queue", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT));

        // queue, start, buffer, byte count, user data, flags
        read = nothing(blkio, "blkioq_read", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT);
        write = nothing(blkio, "blkioq_write", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT);
        // queue, start, iovec, count, user data, flags
        readv = nothing(blkio, "blkioq_readv", JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_INT, JAVA_LONG, JAVA_INT);
        writev = nothing(blkio, "blkioq_writev", JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_INT, JAVA_LONG, JAVA_INT);
        // queue, start, byte count, user data, flags
        writeZeroes = nothing(blkio, "blkioq_write_zeroes", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT);
        discard = nothing(blkio, "blkioq_discard", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT);
        flush = nothing(blkio, "blkioq_flush", JAVA_LONG, JAVA_LONG, JAVA_INT);
        // queue, completions, minimum, maximum, timeout
        doIo = result(blkio, "blkioq_do_io", JAVA_LONG, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS);
        getCompletionFd = result(blkio, "blkioq_get_completion_fd", JAVA_LONG);
        setCompletionFdEnabled = nothing(blkio, "blkioq_set_completion_fd_enabled", JAVA_LONG, JAVA_BOOLEAN);

        NativeLibrary standard = NativeLibrary.standard();
        free = nothing(standard, "free", JAVA_LONG);
        dup = result(standard, "dup", JAVA_INT);
    }

    private static MethodHandle result(NativeLibrary library, String name, MemoryLayout... arguments)
            throws IOException {
        return library.function(name, FunctionDescriptor.of(JAVA_INT, arguments));
    }

    private static MethodHandle nothing(NativeLibrary library, String name, MemoryLayout... arguments)
            throws IOException {
        return library.function(name, FunctionDescriptor.ofVoid(arguments));
    }

    /** The words for this thread's last failure. */
    String errorMessage() {
        try {
            return NativeLibrary.text((long) getErrorMessage.invokeExact());
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** Turns a negative error number into an exception. */
    int check(int result, String call) throws BlkioException {
        if (result < 0) {
            throw new BlkioException(call, -result, errorMessage());
        }
        return result;
    }

    /** A C function throws nothing; what arrives here is a closed object's exception or an error. */
    static RuntimeException unexpected(Throwable e) {
        if (e instanceof Error error) {
            throw error;
        }
        return e instanceof RuntimeException exception ? exception : new IllegalStateException(e);
    }
}
