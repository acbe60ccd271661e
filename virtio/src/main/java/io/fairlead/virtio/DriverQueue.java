package io.fairlead.virtio;

import java.util.function.LongConsumer;

/**
 * The driver's side of a virtqueue, split (virtio 1.4, 2.7) or packed (2.8): for relays, test clients and tests. The
 * device is not trusted: what it wrote is checked before it is used, and a violation is a {@link DeviceFaultException},
 * after which only {@link #reset} is of use.
 *
 * <p>A batch runs so: {@link #add} buffers; one {@link #publish}, whose answer says whether to kick the device; then
 * {@link #poll} until it is false. Whoever wants to sleep calls {@link #enableInterrupts} first and polls again if it
 * says that more came.
 *
 * <p>One thread at a time, the queue's owner. No method that belongs to a batch allocates.
 */
public sealed interface DriverQueue permits SplitDriverQueue, PackedDriverQueue {
    /**
     * Starts a queue that never ran; the device must not be running yet.
     *
     * @throws IllegalArgumentException where size or memory do not suit the layout
     */
    static DriverQueue create(DriverRings rings) {
        return create(rings, QueueState.initial(rings.packed()));
    }

    /**
     * Starts a queue at any position, with nothing outstanding. It writes the rings as they stand at that position, so
     * the device must be stopped, or not started yet.
     *
     * @param state where the driver and the device both stand: the available and the used position are the same
     * @throws IllegalArgumentException where size or memory do not suit the layout, or the state does not fit
     */
    static DriverQueue create(DriverRings rings, QueueState state) {
        return switch (state) {
            case QueueState.Split split -> new SplitDriverQueue(rings, split);
            case QueueState.Packed packed -> new PackedDriverQueue(rings, packed);
        };
    }

    /** Number of ring entries. */
    int size();

    /** Ring entries that are free for new buffers. */
    int freeDescriptors();

    /** Whether {@link #add} would find room for a buffer of so many pieces. */
    boolean hasRoom(int pieceCount);

    /**
     * Adds a buffer, invisible to the device until {@link #publish}. One of several pieces goes into an indirect table
     * where the queue has tables and it fits; else it takes one ring entry a piece.
     *
     * @param addresses guest (IOVA) addresses of the pieces, the device-readable ones first
     * @param lengths bytes of the pieces, unsigned and not 0; at most 4 GiB - 1 altogether
     * @param token handed back with the used buffer
     * @return false where there is no room now; nothing has changed then
     * @throws IllegalArgumentException where there is no piece, an empty one, too many bytes, or more pieces than the
     *     queue could ever hold
     */
    boolean add(long[] addresses, int[] lengths, int readableCount, int writableCount, long token);

    /**
     * Makes all added buffers visible to the device.
     *
     * @return whether the device asked to be kicked for any of them
     */
    boolean publish();

    /**
     * Takes the next used buffer, whose {@link #token} and {@link #writtenBytes} stand until the next call.
     *
     * @return false where there is none
     */
    boolean poll() throws DeviceFaultException;

    /** The token of the buffer that {@link #poll} took. */
    long token();

    /**
     * Bytes that the device says it wrote to the buffer that {@link #poll} took; never more than it has room for. Of
     * buffers for which an IN_ORDER device wrote no used entry, all their room.
     */
    long writtenBytes();

    /** Whether {@link #poll} would find a buffer (or a fault) now; a plain look at the ring. */
    boolean hasUsed();

    /** Asks the device not to signal; a hint. */
    void disableInterrupts();

    /**
     * Asks the device to signal for the next used buffer.
     *
     * @return whether one came in the meantime, for which no signal may follow
     */
    boolean enableInterrupts();

    /** Buffers added and not yet polled. */
    int outstanding();

    /** The positions of what is published and what was polled; a new queue can start from it if nothing is outstanding. */
    QueueState state();

    /**
     * Starts again from the beginning, after a reset of the device or of this queue alone (RING_RESET, virtio 1.4,
     * 2.6.1); the device must have confirmed it and not run again yet.
     *
     * @param returned takes the tokens of all outstanding buffers, the oldest first
     */
    void reset(LongConsumer returned);
}
