package io.fairlead.devices.net;

import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Mapping;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Frames on their way into one receive queue: a bounded ring of cells in native memory, filled by any number of threads
 * and emptied by one, without locks and without allocation. A frame takes as many cells in a row as it needs. Whoever
 * finds no room is told so and drops the frame.
 *
 * <p>A record is its byte count (i32), then the virtio-net header and the frame. A negative count is so many cells that
 * hold nothing: the rest of the ring before it wraps, or a frame that was given up.
 *
 * <p>Memory is touched when first used.
 */
final class FrameInbox implements AutoCloseable {
    static final int CELL_BYTES = 256;
    static final int CELLS = 8192;

    /** Before the frame's own header in a record. */
    private static final int COUNT_BYTES = Integer.BYTES;

    private static final int MASK = CELLS - 1;
    private static final VarHandle HEAD;
    private static final VarHandle TAIL;
    private static final VarHandle SEQUENCE = ValueLayout.JAVA_LONG.varHandle();

    static {
        try {
            HEAD = MethodHandles.lookup().findVarHandle(FrameInbox.class, "head", long.class);
            TAIL = MethodHandles.lookup().findVarHandle(FrameInbox.class, "tail", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Mapping cellMapping;
    private final Mapping sequenceMapping;
    private final MemorySegment cells;

    /** Of the first cell of each record: its position + 1 once the record is whole. No guest can write here. */
    private final MemorySegment sequences;

    private long head;
    private long tail;

    /** The emptying thread's: the record that {@link #next} found. */
    private int byteCount;

    FrameInbox() throws LinuxException {
        cellMapping = Mapping.anonymous((long) CELLS * CELL_BYTES);
        try {
            sequenceMapping = Mapping.anonymous((long) CELLS * Long.BYTES);
        } catch (LinuxException e) {
            cellMapping.close();
            throw e;
        }
        cells = cellMapping.segment();
        sequences = sequenceMapping.segment();
    }

    private static int cellsFor(int byteCount) {
        return (byteCount + COUNT_BYTES + CELL_BYTES - 1) / CELL_BYTES;
    }

    private static long offsetOf(long position) {
        return (position & MASK) * CELL_BYTES;
    }

    // ---- any thread ----

    /**
     * Takes room for a frame; {@link #commit} or {@link #giveUp} has to follow, or nothing that comes later is seen.
     *
     * @param byteCount of header and frame, at most an eighth of the ring
     * @return the record's position; -1 where there is no room
     */
    long reserve(int byteCount) {
        int needed = cellsFor(byteCount);
        while (true) {
            long at = (long) TAIL.getAcquire(this);
            int toEnd = CELLS - (int) (at & MASK);
            int unused = toEnd < needed ? toEnd : 0;
            // The head may be older than it is now: then there seems to be less room, never more.
            if (at + unused + needed - (long) HEAD.getAcquire(this) > CELLS) {
                return -1;
            }
            if (TAIL.compareAndSet(this, at, at + unused + needed)) {
                if (unused > 0) {
                    cells.set(ValueLayout.JAVA_INT, offsetOf(at), -unused);
                    publish(at);
                }
                cells.set(ValueLayout.JAVA_INT, offsetOf(at + unused), byteCount);
                return at + unused;
            }
        }
    }

    MemorySegment memory() {
        return cells;
    }

    /** Where header and frame of a record lie in {@link #memory}. */
    static long frameOffset(long position) {
        return offsetOf(position) + COUNT_BYTES;
    }

    void commit(long position) {
        publish(position);
    }

    /** Ends a reservation whose frame could not be written. */
    void giveUp(long position, int byteCount) {
        cells.set(ValueLayout.JAVA_INT, offsetOf(position), -cellsFor(byteCount));
        publish(position);
    }

    private void publish(long position) {
        SEQUENCE.setRelease(sequences, (position & MASK) * Long.BYTES, position + 1);
    }

    // ---- the emptying thread ----

    /** Whether a record is there. */
    boolean hasNext() {
        long at = head;
        return (long) SEQUENCE.getAcquire(sequences, (at & MASK) * Long.BYTES) == at + 1;
    }

    /** Goes to the next frame, the first that {@link #release} has not taken away; whether there is one. */
    boolean next() {
        while (hasNext()) {
            int count = cells.get(ValueLayout.JAVA_INT, offsetOf(head));
            if (count >= 0) {
                byteCount = count;
                return true;
            }
            HEAD.setRelease(this, head - count);
        }
        return false;
    }

    /** Of the frame that {@link #next} found: where its header lies in {@link #memory}. The emptying thread may write. */
    long offset() {
        return frameOffset(head);
    }

    /** Of the frame that {@link #next} found: bytes of header and frame. */
    int byteCount() {
        return byteCount;
    }

    /** Takes the frame away that {@link #next} found. */
    void release() {
        HEAD.setRelease(this, head + cellsFor(byteCount));
    }

    /** When no thread fills or empties it any more. */
    @Override
    public void close() {
        cellMapping.close();
        sequenceMapping.close();
    }
}
