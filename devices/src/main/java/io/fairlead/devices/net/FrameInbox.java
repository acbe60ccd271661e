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

    /** An inbox that empties again and again uses no more than these, so that they stay in the processor's cache. */
    private static final int WARM_CELLS = 128;

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

    static int cellsFor(int byteCount) {
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
        long at = reserveCells(cellsFor(byteCount));
        if (at >= 0) {
            begin(at, byteCount);
        }
        return at;
    }

    /**
     * Takes room for several frames, which all have to follow at once, each by {@link #begin} and {@link #commit}; what is
     * not needed goes back by {@link #giveBack}.
     *
     * @param needed cells, at most an eighth of the ring
     * @return the position of the first; -1 where there is no room
     */
    long reserveCells(int needed) {
        while (true) {
            long at = (long) TAIL.getAcquire(this);
            int index = (int) (at & MASK);
            // The head may be older than it is now: then there seems to be less room, never more.
            long oldest = (long) HEAD.getAcquire(this);
            int unused = CELLS - index < needed ? CELLS - index : 0;
            if (at + unused + needed - oldest > CELLS) {
                return -1;
            }
            if (TAIL.compareAndSet(this, at, at + unused + needed)) {
                if (unused > 0) {
                    cells.set(ValueLayout.JAVA_INT, offsetOf(at), -unused);
                    publish(at);
                }
                return at + unused;
            }
        }
    }

    /** Begins a record in room that was taken. */
    void begin(long position, int byteCount) {
        cells.set(ValueLayout.JAVA_INT, offsetOf(position), byteCount);
    }

    /** Gives cells back that {@link #reserveCells} brought, from a position on to the last. */
    void giveBack(long position, long end) {
        if (!TAIL.compareAndSet(this, end, position)) {
            // Somebody else has room behind them.
            cells.set(ValueLayout.JAVA_INT, offsetOf(position), (int) (position - end));
            publish(position);
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
        rewind();
        return false;
    }

    /** Where nothing is there and nothing is reserved: goes back to the first cell. */
    private void rewind() {
        long at = head;
        int index = (int) (at & MASK);
        // In between the rest of the ring seems to be in use: a long frame may find no room, for some nanoseconds.
        if (index >= WARM_CELLS && TAIL.compareAndSet(this, at, at + CELLS - index)) {
            HEAD.setRelease(this, at + CELLS - index);
        }
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
