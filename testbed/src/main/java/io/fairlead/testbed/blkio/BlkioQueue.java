package io.fairlead.testbed.blkio;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fairlead.linux.Errno;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/**
 * A queue of a {@link BlkioDevice}. A request is only noted by the method that makes it; {@link #submit}, {@link #poll}
 * and {@link #await} send what was noted. Offsets and lengths are bytes, multiples of {@code request-alignment}; buffers
 * lie in {@link BlkioMemory}, one region each, and stay untouched until the request is complete. The token comes back
 * with the completion.
 *
 * <p>One thread at a time. Nothing here allocates but {@link #completionEvent} and waits with a limit.
 */
public final class BlkioQueue {
    /** Flag of writes: complete only when the data is durable. */
    public static final int FUA = 1;

    /** Flag of {@link #writeZeroes}: keep the space allocated. */
    public static final int NO_UNMAP = 2;

    /** Flag of {@link #writeZeroes}: fail where the device would write the zeros out. */
    public static final int NO_FALLBACK = 4;

    private static final long NANOS_PER_SECOND = 1_000_000_000;
    private static final long TIMESPEC_BYTES = 16;
    private static final long IOVEC_BYTES = 16;

    private final BlkioDevice device;
    private final BlkioFunctions functions;
    private final long handle;

    BlkioQueue(BlkioDevice device, BlkioFunctions functions, long handle) {
        this.device = device;
        this.functions = functions;
        this.handle = handle;
    }

    /** Reads into one buffer. */
    public void read(long offset, MemorySegment buffer, long token) {
        read(offset, buffer.address(), buffer.byteSize(), token);
    }

    /**
     * Reads into one buffer given by its address, for loops that must not make a segment for each request.
     *
     * @param address within a {@link BlkioMemory}, not checked here
     */
    public void read(long offset, long address, long byteCount, long token) {
        try {
            functions.read.invokeExact(handle(), offset, address, byteCount, token, 0);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    /** Writes from one buffer. */
    public void write(long offset, MemorySegment buffer, long token, int flags) {
        write(offset, buffer.address(), buffer.byteSize(), token, flags);
    }

    /** As {@link #read(long, long, long, long)}, the other way. */
    public void write(long offset, long address, long byteCount, long token, int flags) {
        try {
            functions.write.invokeExact(handle(), offset, address, byteCount, token, flags);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    /**
     * Reads into several buffers.
     *
     * @param iovecs of {@link #iovecs}; kept by the caller until the request is complete
     */
    public void readv(long offset, MemorySegment iovecs, long token) {
        try {
            functions.readv.invokeExact(handle(), offset, iovecs, iovecCount(iovecs), token, 0);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    /** Writes from several buffers; arguments as {@link #readv}. */
    public void writev(long offset, MemorySegment iovecs, long token, int flags) {
        try {
            functions.writev.invokeExact(handle(), offset, iovecs, iovecCount(iovecs), token, flags);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    /** An array of {@code struct iovec} for {@link #readv} and {@link #writev}, allocated in the arena. */
    public static MemorySegment iovecs(Arena arena, MemorySegment... buffers) {
        MemorySegment iovecs = arena.allocate(buffers.length * IOVEC_BYTES, Long.BYTES);
        for (int i = 0; i < buffers.length; i++) {
            iovecs.set(JAVA_LONG, i * IOVEC_BYTES, buffers[i].address());
            iovecs.set(JAVA_LONG, i * IOVEC_BYTES + Long.BYTES, buffers[i].byteSize());
        }
        return iovecs;
    }

    private static int iovecCount(MemorySegment iovecs) {
        return (int) (iovecs.byteSize() / IOVEC_BYTES);
    }

    /** Zeroes a range; flags {@link #FUA}, {@link #NO_UNMAP}, {@link #NO_FALLBACK}. */
    public void writeZeroes(long offset, long byteCount, long token, int flags) {
        try {
            functions.writeZeroes.invokeExact(handle(), offset, byteCount, token, flags);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    /** Gives a range's content up. */
    public void discard(long offset, long byteCount, long token) {
        try {
            functions.discard.invokeExact(handle(), offset, byteCount, token, 0);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    /** Makes completed writes durable. */
    public void flush(long token) {
        try {
            functions.flush.invokeExact(handle(), token, 0);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    /** Sends the requests that were noted and waits for nothing. */
    public void submit() throws BlkioException {
        functions.check(doIo(MemorySegment.NULL, 0, 0, MemorySegment.NULL), "blkioq_do_io");
    }

    /**
     * Sends the requests that were noted and takes what is complete, without waiting.
     *
     * @return how many requests are complete
     */
    public int poll(BlkioCompletions completions) throws BlkioException {
        completions.count(0);
        int count = functions.check(
                doIo(completions.array(), 0, completions.capacity(), MemorySegment.NULL), "blkioq_do_io");
        completions.count(count);
        return count;
    }

    /**
     * Sends the requests that were noted and waits until some are complete, for as long as that takes.
     *
     * @param minimum how many to wait for, at most the completions' capacity and as many as are in flight
     * @return how many requests are complete
     */
    public int await(BlkioCompletions completions, int minimum) throws BlkioException {
        completions.count(0);
        int count = functions.check(
                doIo(completions.array(), minimum, completions.capacity(), MemorySegment.NULL), "blkioq_do_io");
        completions.count(count);
        return count;
    }

    /**
     * As {@link #await(BlkioCompletions, int)}, at most for a time.
     *
     * @return how many requests are complete; 0 where the time was over first
     */
    public int await(BlkioCompletions completions, int minimum, Duration timeout) throws BlkioException {
        completions.count(0);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment timespec = arena.allocate(TIMESPEC_BYTES, Long.BYTES);
            timespec.set(JAVA_LONG, 0, timeout.toNanos() / NANOS_PER_SECOND);
            timespec.set(JAVA_LONG, Long.BYTES, timeout.toNanos() % NANOS_PER_SECOND);
            int result = doIo(completions.array(), minimum, completions.capacity(), timespec);
            if (result == -Errno.ETIME) {
                return 0;
            }
            completions.count(functions.check(result, "blkioq_do_io"));
            return completions.count();
        }
    }

    private int doIo(MemorySegment completions, int minimum, int maximum, MemorySegment timespec) {
        try {
            return (int) functions.doIo.invokeExact(handle(), completions, minimum, maximum, timespec);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    /**
     * The event that says that {@link #poll} may find something, as a descriptor of the caller's own: drain it, then poll
     * until nothing is left. It is signalled only after {@link #enableCompletionEvent}.
     *
     * @throws IllegalStateException for a poll queue, which has none
     */
    public EventFd completionEvent() throws BlkioException {
        int descriptor;
        int duplicate = -1;
        try {
            descriptor = (int) functions.getCompletionFd.invokeExact(handle());
            if (descriptor >= 0) {
                duplicate = (int) functions.dup.invokeExact(descriptor);
            }
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
        if (descriptor < 0) {
            throw new IllegalStateException("a poll queue has no completion event");
        }
        if (duplicate < 0) {
            throw new BlkioException("dup of a completion event", Errno.EMFILE, "");
        }
        return EventFd.adopt(Fd.adopt(duplicate, "completion event"));
    }

    /** Asks the device for notifications, or to leave them out (some may come all the same). */
    public void enableCompletionEvent(boolean enabled) {
        try {
            functions.setCompletionFdEnabled.invokeExact(handle(), enabled);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
    }

    private long handle() {
        device.handle();
        return handle;
    }
}
