package io.fairlead.vdpa;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Counters of one queue. Written by the queue's thread alone, read by any thread without locks; a reader may see one
 * counter newer than another.
 */
public final class QueueStatistics {
    /**
     * One reading of all counters.
     *
     * @param markedPages pages of {@link SharedDirtyLog#PAGE_BYTES} that were marked in a dirty log and had no mark before; a
     *     page that is written again after its mark was taken away counts again
     */
    public record Snapshot(
            long kicks,
            long signals,
            long requests,
            long failedRequests,
            long readBytes,
            long writtenBytes,
            long guestFaults,
            long markedPages) {}

    private static final VarHandle KICKS = handle("kicks");
    private static final VarHandle SIGNALS = handle("signals");
    private static final VarHandle REQUESTS = handle("requests");
    private static final VarHandle FAILED_REQUESTS = handle("failedRequests");
    private static final VarHandle READ_BYTES = handle("readBytes");
    private static final VarHandle WRITTEN_BYTES = handle("writtenBytes");
    private static final VarHandle GUEST_FAULTS = handle("guestFaults");
    private static final VarHandle MARKED_PAGES = handle("markedPages");

    private long kicks;
    private long signals;
    private long requests;
    private long failedRequests;
    private long readBytes;
    private long writtenBytes;
    private long guestFaults;
    private long markedPages;

    /** All at zero. */
    public QueueStatistics() {}

    private static VarHandle handle(String field) {
        try {
            return MethodHandles.lookup().findVarHandle(QueueStatistics.class, field, long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** The driver woke the device. */
    public void countKick() {
        KICKS.setOpaque(this, kicks + 1);
    }

    /** The device woke the driver. */
    public void countSignal() {
        SIGNALS.setOpaque(this, signals + 1);
    }

    /**
     * Finished requests, whatever came of them.
     *
     * @param readBytes bytes that went to the guest
     * @param writtenBytes bytes that came from the guest
     */
    public void countRequests(long count, long readBytes, long writtenBytes) {
        REQUESTS.setOpaque(this, requests + count);
        READ_BYTES.setOpaque(this, this.readBytes + readBytes);
        WRITTEN_BYTES.setOpaque(this, this.writtenBytes + writtenBytes);
    }

    /** A request answered with an error; it counts as a request besides. */
    public void countFailedRequest() {
        FAILED_REQUESTS.setOpaque(this, failedRequests + 1);
    }

    /** The guest broke the specification and the queue was stopped for it. */
    public void countGuestFault() {
        GUEST_FAULTS.setOpaque(this, guestFaults + 1);
    }

    /** Pages were marked in a dirty log, see {@link Snapshot#markedPages}. */
    public void countMarkedPages(long count) {
        MARKED_PAGES.setOpaque(this, markedPages + count);
    }

    public Snapshot snapshot() {
        return new Snapshot(
                (long) KICKS.getOpaque(this),
                (long) SIGNALS.getOpaque(this),
                (long) REQUESTS.getOpaque(this),
                (long) FAILED_REQUESTS.getOpaque(this),
                (long) READ_BYTES.getOpaque(this),
                (long) WRITTEN_BYTES.getOpaque(this),
                (long) GUEST_FAULTS.getOpaque(this),
                (long) MARKED_PAGES.getOpaque(this));
    }
}
