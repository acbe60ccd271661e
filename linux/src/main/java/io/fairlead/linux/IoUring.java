package io.fairlead.linux;

import static io.fairlead.linux.IoUringLayout.*;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * An io_uring: file operations that are handed over in batches and end in any order. Needs Linux 5.6.
 *
 * <p>One thread at a time owns a ring and calls its methods; the kernel cancels requests in flight when the thread ends
 * that submitted them. Buffers and I/O vectors belong to the kernel from the submission until the completion. Nothing
 * here allocates after creation.
 *
 * <p>To sleep until something completes, register an eventfd and watch it by {@link Epoll}; then drain it and take
 * completions until {@link #nextCompletion} says that there are no more. The kernel may end a sleep early, without an
 * event, to finish requests; the event follows.
 */
public final class IoUring implements AutoCloseable {
    private static final VarHandle INT = JAVA_INT.varHandle();
    private static final int NEEDED_FEATURES = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS;

    private static volatile String unavailableReason = "";

    private final Fd fd;
    private final Mapping ringMapping;
    private final Mapping entryMapping;
    private final MemorySegment ring;
    private final MemorySegment submissions;
    private final int capacity;
    private final int submissionMask;
    private final int completionMask;
    private final long submissionHeadAt;
    private final long submissionTailAt;
    private final long submissionFlagsAt;
    private final long completionHeadAt;
    private final long completionTailAt;
    private final long completionFlagsAt;
    private final long completionsAt;

    /** Prepared up to here; the kernel sees it at {@link #submit}. */
    private int submissionTail;

    private int submissionHead;
    private int completionHead;
    private int inFlight;
    private long completionUserData;
    private int completionResult;

    private IoUring(Fd fd, MemorySegment params) throws LinuxException {
        this.fd = fd;
        capacity = params.get(JAVA_INT, PARAMS_SQ_ENTRIES);
        int completions = params.get(JAVA_INT, PARAMS_CQ_ENTRIES);
        long arrayAt = offset(params, SQ_OFF_ARRAY);
        completionsAt = offset(params, CQ_OFF_CQES);
        long ringBytes = Math.max(arrayAt + (long) capacity * Integer.BYTES, completionsAt + completions * CQE_SIZE);
        ringMapping = Mapping.shared(fd, IORING_OFF_SQ_RING, ringBytes, true);
        try {
            entryMapping = Mapping.shared(fd, IORING_OFF_SQES, capacity * SQE_SIZE, true);
        } catch (Throwable e) {
            ringMapping.close();
            throw e;
        }
        ring = ringMapping.segment();
        submissions = entryMapping.segment();
        submissionHeadAt = offset(params, SQ_OFF_HEAD);
        submissionTailAt = offset(params, SQ_OFF_TAIL);
        submissionFlagsAt = offset(params, SQ_OFF_FLAGS);
        completionHeadAt = offset(params, CQ_OFF_HEAD);
        completionTailAt = offset(params, CQ_OFF_TAIL);
        completionFlagsAt = offset(params, CQ_OFF_FLAGS);
        submissionMask = ring.get(JAVA_INT, offset(params, SQ_OFF_RING_MASK));
        completionMask = ring.get(JAVA_INT, offset(params, CQ_OFF_RING_MASK));
        for (int i = 0; i < capacity; i++) {
            ring.set(JAVA_INT, arrayAt + (long) i * Integer.BYTES, i);
        }
    }

    /**
     * A new ring.
     *
     * @param entries how many requests one submission may hold, rounded up to a power of two, at most 32,768
     * @return null where the kernel has no io_uring, forbids it or lacks the memory: see {@link #unavailableReason}
     */
    public static @Nullable IoUring tryCreate(int entries) {
        // COOP_TASKRUN leaves a running owner alone until it enters the kernel anyway; TASKRUN_FLAG shows a polling
        // owner
        // that it should. DEFER_TASKRUN brought nothing measurable with an eventfd and binds the ring to one thread.
        int quick =
                IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
        for (int flags : new int[] {quick, IORING_SETUP_CLAMP}) {
            try {
                return create(entries, flags);
            } catch (LinuxException e) {
                unavailableReason = reason(e);
                if (e.errno() != Errno.EINVAL) {
                    return null;
                }
            }
        }
        return null;
    }

    /** Why the last {@link #tryCreate} that returned null did so, for people; empty before. */
    public static String unavailableReason() {
        return unavailableReason;
    }

    static String reason(LinuxException e) {
        return switch (e.errno()) {
            case Errno.ENOSYS -> "this kernel has no io_uring, or a system call filter hides it";
            case Errno.EPERM -> "io_uring is forbidden here (sysctl kernel.io_uring_disabled, or a system call filter)";
            case Errno.EOPNOTSUPP -> "this kernel's io_uring is too old, Linux 5.6 is needed";
            default -> String.valueOf(e.getMessage());
        };
    }

    static IoUring create(int entries, int flags) throws LinuxException {
        String subject = "ring of %d entries".formatted(entries);
        if (entries <= 0) {
            throw new IllegalArgumentException("no " + subject);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(PARAMS_SIZE, Long.BYTES);
            params.set(JAVA_INT, PARAMS_FLAGS, flags);
            long raw = Libc.syscall(NR_IO_URING_SETUP, entries, params.address(), 0, 0, 0, 0);
            Fd fd = Fd.adopt((int) LinuxException.check(raw, "io_uring_setup", subject), "io_uring");
            try {
                if ((params.get(JAVA_INT, PARAMS_FEATURES) & NEEDED_FEATURES) != NEEDED_FEATURES) {
                    throw new LinuxException("io_uring_setup", subject, Errno.EOPNOTSUPP);
                }
                return new IoUring(fd, params);
            } catch (Throwable e) {
                fd.close();
                throw e;
            }
        }
    }

    private static long offset(MemorySegment params, long field) {
        return Integer.toUnsignedLong(params.get(JAVA_INT, field));
    }

    /** Signals an eventfd whenever something completes. One a ring; the ring keeps no reference to the object. */
    public void registerEventFd(EventFd eventFd) throws LinuxException {
        MemorySegment number = Libc.scratch();
        number.set(JAVA_INT, 0, eventFd.raw());
        long result = Libc.syscall(NR_IO_URING_REGISTER, fd.raw(), IORING_REGISTER_EVENTFD, number.address(), 1, 0, 0);
        LinuxException.check(
                result,
                "io_uring_register(IORING_REGISTER_EVENTFD)",
                eventFd.fd().subject());
    }

    /**
     * Turns the eventfd's signals off while the owner looks for completions anyway, and on again. After turning them on
     * look once more: what completed in between has not been signalled.
     */
    public void notifications(boolean enabled) {
        INT.setVolatile(ring, completionFlagsAt, enabled ? 0 : IORING_CQ_EVENTFD_DISABLED);
    }

    /** How many requests {@link #submit} takes at once. */
    public int capacity() {
        return capacity;
    }

    /** How many requests were submitted whose completion has not been taken. */
    public int inFlight() {
        return inFlight;
    }

    /**
     * Prepares a read into memory.
     *
     * @param userData comes back with the completion
     * @return false where the submission queue is full: submit first
     */
    public boolean read(int descriptor, long address, int byteCount, long offset, long userData) {
        return prepare(IORING_OP_READ, descriptor, offset, address, byteCount, 0, userData);
    }

    /** Prepares a write from memory; arguments and result as {@link #read}. */
    public boolean write(int descriptor, long address, int byteCount, long offset, long userData) {
        return prepare(IORING_OP_WRITE, descriptor, offset, address, byteCount, 0, userData);
    }

    /**
     * Prepares a read into several pieces of memory.
     *
     * @param iovecAddress {@code iovecCount} times {address, byte count}; read by the kernel at the submission
     * @param flags some of {@code FileIo.RWF_*}
     * @return as {@link #read}
     */
    public boolean readv(int descriptor, long iovecAddress, int iovecCount, long offset, int flags, long userData) {
        return prepare(IORING_OP_READV, descriptor, offset, iovecAddress, iovecCount, flags, userData);
    }

    /** Prepares a write from several pieces of memory; arguments and result as {@link #readv}. */
    public boolean writev(int descriptor, long iovecAddress, int iovecCount, long offset, int flags, long userData) {
        return prepare(IORING_OP_WRITEV, descriptor, offset, iovecAddress, iovecCount, flags, userData);
    }

    /** Prepares making written data durable: of the writes that have completed before its submission. */
    public boolean fdatasync(int descriptor, long userData) {
        return prepare(IORING_OP_FSYNC, descriptor, 0, 0, 0, IORING_FSYNC_DATASYNC, userData);
    }

    /** Prepares allocating, zeroing or freeing a range; arguments as {@link FileIo#fallocate}. */
    public boolean fallocate(int descriptor, int mode, long offset, long byteCount, long userData) {
        return prepare(IORING_OP_FALLOCATE, descriptor, offset, byteCount, mode, 0, userData);
    }

    private boolean prepare(
            int operation, int descriptor, long offset, long address, int length, int operationFlags, long userData) {
        if (submissionTail - submissionHead == capacity) {
            return false;
        }
        long at = (submissionTail & submissionMask) * SQE_SIZE;
        submissions.set(JAVA_LONG, at, operation | (long) descriptor << 32);
        submissions.set(JAVA_LONG, at + SQE_OFF, offset);
        submissions.set(JAVA_LONG, at + SQE_ADDR, address);
        submissions.set(JAVA_LONG, at + SQE_LEN, Integer.toUnsignedLong(length) | (long) operationFlags << 32);
        submissions.set(JAVA_LONG, at + SQE_USER_DATA, userData);
        submissions.set(JAVA_LONG, at + SQE_BUF_INDEX, 0);
        submissions.set(JAVA_LONG, at + SQE_ADDR3, 0);
        submissions.set(JAVA_LONG, at + SQE_ADDR3 + Long.BYTES, 0);
        submissionTail++;
        return true;
    }

    /**
     * Hands all prepared requests to the kernel.
     *
     * @return how many it took; those it did not take stay prepared. A negative error number where it took none:
     *     {@code -EAGAIN} or {@code -EBUSY} mean to take completions and call again
     */
    public int submit() {
        int prepared = submissionTail - submissionHead;
        if (prepared == 0) {
            return 0;
        }
        // The kernel reads the entries only after it has seen the new tail.
        INT.setRelease(ring, submissionTailAt, submissionTail);
        int result = enter(prepared, 0, 0);
        int head = (int) INT.getAcquire(ring, submissionHeadAt);
        int taken = head - submissionHead;
        submissionHead = head;
        inFlight += taken;
        return taken > 0 ? taken : result;
    }

    /**
     * Takes the next completion, if there is one.
     *
     * @return false where nothing more has completed
     */
    public boolean nextCompletion() {
        // Only after the tail has been seen is the entry before it complete.
        if (completionHead == (int) INT.getAcquire(ring, completionTailAt) && !fetchCompletions()) {
            return false;
        }
        long at = completionsAt + (completionHead & completionMask) * CQE_SIZE;
        completionUserData = ring.get(JAVA_LONG, at + CQE_USER_DATA);
        completionResult = ring.get(JAVA_INT, at + CQE_RES);
        completionHead++;
        inFlight--;
        // The kernel may overwrite the entry once it sees the new head: not before it has been read.
        INT.setRelease(ring, completionHeadAt, completionHead);
        return true;
    }

    /** Completions that the kernel keeps until it is called: too many for the queue, or left for the owner to finish. */
    private boolean fetchCompletions() {
        int flags = (int) INT.getAcquire(ring, submissionFlagsAt);
        if ((flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) == 0) {
            return false;
        }
        enter(0, 0, IORING_ENTER_GETEVENTS);
        return completionHead != (int) INT.getAcquire(ring, completionTailAt);
    }

    /** The user data of the completion that {@link #nextCompletion} took. */
    public long completionUserData() {
        return completionUserData;
    }

    /** Its result: a byte count, 0, or a negative error number. */
    public int completionResult() {
        return completionResult;
    }

    private int enter(int submit, int waitFor, int flags) {
        return (int) Libc.syscall(NR_IO_URING_ENTER, fd.raw(), submit, waitFor, flags, 0, 0);
    }

    /**
     * Cancels what can be cancelled, waits until no request is in flight, so that the kernel touches no buffer any more,
     * and frees the ring. Prepared requests are dropped, completions not taken are lost. Further calls do nothing. The
     * owner's call, as all others.
     */
    @Override
    public void close() {
        if (!fd.isOpen()) {
            return;
        }
        if (inFlight > 0) {
            cancelAll();
        }
        while (inFlight > 0) {
            if (!nextCompletion()) {
                int result = enter(0, 1, IORING_ENTER_GETEVENTS);
                if (result < 0 && result != -Errno.EINTR && result != -Errno.EAGAIN && result != -Errno.EBUSY) {
                    throw new IllegalStateException(
                            "io_uring with %d requests in flight: %s".formatted(inFlight, Errno.name(-result)));
                }
            }
        }
        fd.close();
        entryMapping.close();
        ringMapping.close();
    }

    /** Linux 5.19; before, requests to files end by themselves. */
    private void cancelAll() {
        submissionTail = submissionHead;
        prepare(IORING_OP_ASYNC_CANCEL, -1, 0, 0, 0, IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY, 0);
        submit();
    }

    @Override
    public String toString() {
        return fd.toString();
    }
}
