package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.function.LongConsumer;

/**
 * The driver's side of a split virtqueue (virtio 1.4, 2.7). Memory and layout: {@link DriverRings}, {@link RingLayout}.
 *
 * <p>Free descriptors stand in a list of the driver's own, oldest first, so that with IN_ORDER chains run around the
 * table as 2.7.9 wants it.
 */
public final class SplitDriverQueue implements DriverQueue {
    private final DriverRings rings;
    private final int size;
    private final int mask;
    private final boolean eventIndex;
    private final boolean inOrder;
    private final MemorySegment descriptors;
    private final MemorySegment available;
    private final MemorySegment used;
    private final OutstandingBuffers buffers;

    /** Of a free descriptor the next free one, of one in a chain the next in the chain. */
    private final int[] next;

    /** The last descriptor of the chain, by head. */
    private final int[] last;

    private int freeHead;
    private int freeTail;
    private int free;

    private int addedIndex;
    private int publishedIndex;
    private int usedIndex;
    /** The device's used index as last read. */
    private int usedLimit;
    /** IN_ORDER: how many buffers the used entry read last stands for and are not polled yet. */
    private int batchLeft;

    /** Bytes written to the last buffer of the batch. */
    private long batchWritten;

    private boolean interruptsEnabled;

    private long token;
    private long writtenBytes;

    /** See {@link DriverQueue#create(DriverRings, QueueState)}. */
    SplitDriverQueue(DriverRings rings, QueueState.Split state) {
        if (rings.packed()) {
            throw new IllegalArgumentException("a split state for a packed queue");
        }
        if (state.availableIndex() != state.usedIndex()) {
            throw new IllegalArgumentException("a driver cannot start with buffers outstanding: " + state);
        }
        this.rings = rings;
        size = rings.size();
        mask = size - 1;
        eventIndex = rings.has(Feature.EVENT_IDX);
        inOrder = rings.has(Feature.IN_ORDER);
        descriptors = rings.descriptors();
        available = rings.driverArea();
        used = rings.deviceArea();
        buffers = new OutstandingBuffers(size, inOrder);
        next = new int[size];
        last = new int[size];
        start(state.availableIndex());
    }

    private void start(int index) {
        for (int i = 0; i < size; i++) {
            next[i] = (i + 1) & mask;
        }
        freeHead = 0;
        freeTail = size - 1;
        free = size;
        addedIndex = index;
        publishedIndex = index;
        usedIndex = index;
        usedLimit = index;
        batchLeft = 0;
        interruptsEnabled = true;
        RingAccess.storeShort(available, RingLayout.AVAILABLE_FLAGS, 0);
        RingAccess.storeShort(used, RingLayout.USED_FLAGS, 0);
        RingAccess.storeShort(used, RingLayout.USED_INDEX, index);
        if (eventIndex) {
            RingAccess.storeShort(available, RingLayout.usedEvent(size), index);
            RingAccess.storeShort(used, RingLayout.availableEvent(size), index);
        }
        RingAccess.storeShortRelease(available, RingLayout.AVAILABLE_INDEX, index);
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public int freeDescriptors() {
        return free;
    }

    @Override
    public boolean hasRoom(int pieceCount) {
        return BufferPieces.ringEntries(pieceCount, rings.indirectEntries()) <= free;
    }

    @Override
    public boolean add(long[] addresses, int[] lengths, int readableCount, int writableCount, long token) {
        long writable = BufferPieces.check(lengths, readableCount, writableCount);
        int pieceCount = readableCount + writableCount;
        int entries = BufferPieces.ringEntries(pieceCount, rings.indirectEntries());
        if (entries > free) {
            if (entries > size) {
                throw BufferPieces.tooMany(pieceCount, rings);
            }
            return false;
        }
        int head = freeHead;
        int descriptor = head;
        if (entries < pieceCount) {
            addIndirect(head, addresses, lengths, readableCount, pieceCount);
        } else {
            for (int i = 0; i < pieceCount; i++) {
                if (i > 0) {
                    descriptor = next[descriptor];
                }
                boolean more = i + 1 < pieceCount;
                int flags = (i < readableCount ? 0 : RingLayout.WRITE) | (more ? RingLayout.NEXT : 0);
                write(
                        descriptors,
                        RingLayout.descriptor(descriptor),
                        addresses[i],
                        lengths[i],
                        flags,
                        more ? next[descriptor] : 0);
            }
        }
        last[head] = descriptor;
        freeHead = next[descriptor];
        free -= entries;
        RingAccess.storeShort(available, RingLayout.availableEntry(addedIndex & mask), head);
        addedIndex = (addedIndex + 1) & 0xffff;
        buffers.add(head, token, writable, entries);
        return true;
    }

    private void addIndirect(int head, long[] addresses, int[] lengths, int readableCount, int pieceCount) {
        long table = RingLayout.descriptorBytes(rings.indirectEntries()) * head;
        for (int i = 0; i < pieceCount; i++) {
            boolean more = i + 1 < pieceCount;
            int flags = (i < readableCount ? 0 : RingLayout.WRITE) | (more ? RingLayout.NEXT : 0);
            write(
                    rings.indirectTables(),
                    table + RingLayout.descriptor(i),
                    addresses[i],
                    lengths[i],
                    flags,
                    more ? i + 1 : 0);
        }
        write(
                descriptors,
                RingLayout.descriptor(head),
                rings.indirectAddress() + table,
                (int) RingLayout.descriptorBytes(pieceCount),
                RingLayout.INDIRECT,
                0);
    }

    private static void write(MemorySegment table, long offset, long address, int length, int flags, int next) {
        RingAccess.storeLongUnaligned(table, offset + RingLayout.DESCRIPTOR_ADDRESS, address);
        // Length, flags and next are one little-endian word.
        RingAccess.storeLongUnaligned(
                table,
                offset + RingLayout.DESCRIPTOR_LENGTH,
                Integer.toUnsignedLong(length) | (long) flags << 32 | (long) next << 48);
    }

    @Override
    public boolean publish() {
        if (buffers.pending() == 0) {
            return false;
        }
        int old = publishedIndex;
        publishedIndex = addedIndex;
        buffers.publish();
        // Release: descriptors and ring entries before the index that shows them.
        RingAccess.storeShortRelease(available, RingLayout.AVAILABLE_INDEX, publishedIndex);
        // The index must be out before the device's wish is read; it checks the other way round before it sleeps.
        VarHandle.fullFence();
        if (eventIndex) {
            int event = RingAccess.loadShort(used, RingLayout.availableEvent(size));
            return RingLayout.passed(event, publishedIndex, old);
        }
        return (RingAccess.loadShort(used, RingLayout.USED_FLAGS) & RingLayout.USED_NO_NOTIFY) == 0;
    }

    @Override
    public boolean poll() throws DeviceFaultException {
        if (batchLeft > 0) {
            takeFromBatch();
            return true;
        }
        if (usedIndex == usedLimit && !refresh()) {
            return false;
        }
        long element = RingAccess.loadLongUnaligned(used, RingLayout.usedElement(usedIndex & mask));
        int id = (int) element;
        long written = element >>> 32;
        if (!buffers.isPublished(id)) {
            throw new DeviceFaultException(
                    "used id %s is of no available buffer".formatted(Integer.toUnsignedString(id)));
        }
        if (written > buffers.writableBytes(id)) {
            throw new DeviceFaultException("%d bytes written to buffer %d, which has room for %d"
                    .formatted(written, id, buffers.writableBytes(id)));
        }
        if (!inOrder) {
            take(id, written);
            return true;
        }
        int batch = buffers.batchSize(id);
        if (batch > ((usedLimit - usedIndex) & 0xffff)) {
            throw new DeviceFaultException("used id %d ends a batch of %d buffers, but the used index moved by %d"
                    .formatted(id, batch, (usedLimit - usedIndex) & 0xffff));
        }
        batchLeft = batch;
        batchWritten = written;
        takeFromBatch();
        return true;
    }

    /** Reads the used index again. */
    private boolean refresh() throws DeviceFaultException {
        // Acquire: the elements and the buffers' bytes after the index that shows them.
        int index = RingAccess.loadShortAcquire(used, RingLayout.USED_INDEX);
        int moved = (index - usedIndex) & 0xffff;
        if (moved > buffers.publishedCount()) {
            throw new DeviceFaultException("used index went from %d to %d with %d buffers available"
                    .formatted(usedIndex, index, buffers.publishedCount()));
        }
        usedLimit = index;
        return moved != 0;
    }

    /** IN_ORDER: one used element stands for all buffers up to its own (2.7.9). */
    private void takeFromBatch() {
        batchLeft--;
        int id = buffers.oldest();
        take(id, batchLeft == 0 ? batchWritten : buffers.writableBytes(id));
    }

    private void take(int id, long written) {
        token = buffers.token(id);
        writtenBytes = written;
        if (free == 0) {
            freeHead = id;
        } else {
            next[freeTail] = id;
        }
        freeTail = last[id];
        free += buffers.descriptorCount(id);
        buffers.remove(id);
        usedIndex = (usedIndex + 1) & 0xffff;
    }

    @Override
    public boolean hasUsed() {
        return batchLeft > 0 || RingAccess.loadShortAcquire(used, RingLayout.USED_INDEX) != usedIndex;
    }

    @Override
    public void disableInterrupts() {
        if (!interruptsEnabled) {
            return;
        }
        interruptsEnabled = false;
        if (eventIndex) {
            // An index that the device has passed already (2.7.7: the flag must stay 0).
            RingAccess.storeShort(available, RingLayout.usedEvent(size), usedIndex - 1);
        } else {
            RingAccess.storeShort(available, RingLayout.AVAILABLE_FLAGS, RingLayout.AVAILABLE_NO_INTERRUPT);
        }
    }

    @Override
    public boolean enableInterrupts() {
        interruptsEnabled = true;
        if (eventIndex) {
            RingAccess.storeShort(available, RingLayout.usedEvent(size), usedIndex);
        } else {
            RingAccess.storeShort(available, RingLayout.AVAILABLE_FLAGS, 0);
        }
        // The wish must be out before the look at the ring; the device publishes first and reads it then.
        VarHandle.fullFence();
        return hasUsed();
    }

    @Override
    public QueueState state() {
        return new QueueState.Split(publishedIndex, usedIndex);
    }

    @Override
    public void reset(LongConsumer returned) {
        buffers.drain(returned);
        start(0);
    }

    @Override
    public long token() {
        return token;
    }

    @Override
    public long writtenBytes() {
        return writtenBytes;
    }

    @Override
    public int outstanding() {
        return buffers.count();
    }
}
