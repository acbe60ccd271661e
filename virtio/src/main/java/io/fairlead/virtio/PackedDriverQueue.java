package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.function.LongConsumer;

/**
 * The driver's side of a packed virtqueue (virtio 1.4, 2.8). Memory and layout: {@link DriverRings}, {@link RingLayout}.
 *
 * <p>Of the buffers added between two calls of {@link #publish}, all descriptors are written at once but the flags of
 * the very first one. The device looks at one place only, the next descriptor in ring order, so that one store shows it
 * the whole batch.
 */
public final class PackedDriverQueue implements DriverQueue {
    private final DriverRings rings;
    private final int size;
    private final boolean eventIndex;
    private final boolean inOrder;
    private final MemorySegment ring;
    private final MemorySegment driverEvent;
    private final MemorySegment deviceEvent;
    private final OutstandingBuffers buffers;

    /** Buffer ids that are free, a stack. */
    private final int[] freeIds;

    private int freeIdCount;
    private int free;

    private int addPosition;
    private boolean addWrap;
    private int publishedPosition;
    private boolean publishedWrap;
    private int publishedFirstFlags;
    /** Ring entries added and not published. */
    private int pendingEntries;

    private int usedPosition;
    private boolean usedWrap;
    /** IN_ORDER: how many buffers the used descriptor read last stands for and are not polled yet. */
    private int batchLeft;
    /** Bytes written to the last buffer of the batch. */
    private long batchWritten;

    private boolean interruptsEnabled;
    private long token;
    private long writtenBytes;

    /** See {@link DriverQueue#create(DriverRings, QueueState)}. */
    PackedDriverQueue(DriverRings rings, QueueState.Packed state) {
        if (!rings.packed()) {
            throw new IllegalArgumentException("a packed state for a split queue");
        }
        if (state.availableIndex() != state.usedIndex() || state.availableWrap() != state.usedWrap()) {
            throw new IllegalArgumentException("a driver cannot start with buffers outstanding: " + state);
        }
        if (state.availableIndex() >= rings.size()) {
            throw new IllegalArgumentException("%s is outside a queue of %d entries".formatted(state, rings.size()));
        }
        this.rings = rings;
        size = rings.size();
        eventIndex = rings.has(Feature.EVENT_IDX);
        inOrder = rings.has(Feature.IN_ORDER);
        ring = rings.descriptors();
        driverEvent = rings.driverArea();
        deviceEvent = rings.deviceArea();
        buffers = new OutstandingBuffers(size, inOrder);
        freeIds = new int[size];
        start(state.availableIndex(), state.availableWrap());
    }

    private void start(int position, boolean wrap) {
        for (int i = 0; i < size; i++) {
            freeIds[i] = size - 1 - i;
            // As if all had been used: those before the position in this lap, the others in the lap before.
            RingAccess.storeShort(ring, flagsOffset(i), i < position ? usedFlags(wrap) : usedFlags(!wrap));
        }
        freeIdCount = size;
        free = size;
        addPosition = position;
        addWrap = wrap;
        publishedPosition = position;
        publishedWrap = wrap;
        pendingEntries = 0;
        usedPosition = position;
        usedWrap = wrap;
        batchLeft = 0;
        interruptsEnabled = true;
        RingAccess.storeInt(deviceEvent, 0, RingLayout.EVENT_FLAGS_ENABLE << 16);
        RingAccess.storeInt(driverEvent, 0, RingLayout.EVENT_FLAGS_ENABLE << 16);
        VarHandle.releaseFence();
    }

    private static int usedFlags(boolean wrap) {
        return wrap ? RingLayout.PACKED_AVAIL | RingLayout.PACKED_USED : 0;
    }

    private static int availableFlags(boolean wrap) {
        return wrap ? RingLayout.PACKED_AVAIL : RingLayout.PACKED_USED;
    }

    private static long flagsOffset(int position) {
        return RingLayout.descriptor(position) + RingLayout.PACKED_DESCRIPTOR_FLAGS;
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
        int id = freeIds[--freeIdCount];
        if (entries < pieceCount) {
            long table = writeTable(id, addresses, lengths, readableCount, pieceCount);
            int tableBytes = (int) RingLayout.descriptorBytes(pieceCount);
            put(rings.indirectAddress() + table, tableBytes, id, RingLayout.INDIRECT);
        } else {
            for (int i = 0; i < pieceCount; i++) {
                int flags = (i < readableCount ? 0 : RingLayout.WRITE) | (i + 1 < pieceCount ? RingLayout.NEXT : 0);
                put(addresses[i], lengths[i], id, flags);
            }
        }
        free -= entries;
        buffers.add(id, token, writable, entries);
        return true;
    }

    /** Writes the next ring entry; the flags of the first one of a batch are kept for {@link #publish}. */
    private void put(long address, int length, int id, int flags) {
        long offset = RingLayout.descriptor(addPosition);
        int all = flags | availableFlags(addWrap);
        RingAccess.storeLongUnaligned(ring, offset + RingLayout.DESCRIPTOR_ADDRESS, address);
        if (pendingEntries == 0) {
            publishedFirstFlags = all;
            RingAccess.storeInt(ring, offset + RingLayout.DESCRIPTOR_LENGTH, length);
            RingAccess.storeShort(ring, offset + RingLayout.PACKED_DESCRIPTOR_ID, id);
        } else {
            // Length, id and flags are one little-endian word.
            RingAccess.storeLongUnaligned(
                    ring,
                    offset + RingLayout.DESCRIPTOR_LENGTH,
                    Integer.toUnsignedLong(length) | (long) id << 32 | (long) all << 48);
        }
        pendingEntries++;
        if (++addPosition == size) {
            addPosition = 0;
            addWrap = !addWrap;
        }
    }

    /** Fills the indirect table of an id; WRITE is the only flag that counts there (2.8.7). */
    private long writeTable(int id, long[] addresses, int[] lengths, int readableCount, int pieceCount) {
        long table = RingLayout.descriptorBytes(rings.indirectEntries()) * id;
        for (int i = 0; i < pieceCount; i++) {
            long offset = table + RingLayout.descriptor(i);
            long flags = i < readableCount ? 0 : RingLayout.WRITE;
            RingAccess.storeLongUnaligned(rings.indirectTables(), offset + RingLayout.DESCRIPTOR_ADDRESS, addresses[i]);
            RingAccess.storeLongUnaligned(
                    rings.indirectTables(),
                    offset + RingLayout.DESCRIPTOR_LENGTH,
                    Integer.toUnsignedLong(lengths[i]) | flags << 48);
        }
        return table;
    }

    @Override
    public boolean publish() {
        if (pendingEntries == 0) {
            return false;
        }
        // Release: all descriptors, and the flags of all but this first one, before it shows them.
        RingAccess.storeShortRelease(ring, flagsOffset(publishedPosition), publishedFirstFlags);
        int moved = pendingEntries;
        pendingEntries = 0;
        publishedPosition = addPosition;
        publishedWrap = addWrap;
        buffers.publish();
        // The descriptor must be out before the device's wish is read; it checks the other way round before it sleeps.
        VarHandle.fullFence();
        int wish = RingAccess.loadInt(deviceEvent, 0);
        int flags = wish >>> 16 & RingLayout.EVENT_FLAGS_MASK;
        if (!eventIndex || flags != RingLayout.EVENT_FLAGS_DESCRIPTOR) {
            return flags != RingLayout.EVENT_FLAGS_DISABLE;
        }
        // Positions counted from the start of the present lap: those of the lap before are negative.
        int event = wish & ~RingLayout.EVENT_WRAP & 0xffff;
        boolean eventWrap = (wish & RingLayout.EVENT_WRAP) != 0;
        int eventPosition = eventWrap == publishedWrap ? event : event - size;
        return RingLayout.passed(eventPosition, publishedPosition, publishedPosition - moved);
    }

    @Override
    public boolean poll() throws DeviceFaultException {
        if (batchLeft > 0) {
            takeFromBatch();
            return true;
        }
        // Acquire: the rest of the descriptor and the buffer's bytes after the flags that show them.
        if (!isUsed(RingAccess.loadShortAcquire(ring, flagsOffset(usedPosition)))) {
            return false;
        }
        long word =
                RingAccess.loadLongUnaligned(ring, RingLayout.descriptor(usedPosition) + RingLayout.DESCRIPTOR_LENGTH);
        int id = (int) (word >>> 32) & 0xffff;
        if (!buffers.isPublished(id)) {
            throw new DeviceFaultException("used id %d is of no available buffer".formatted(id));
        }
        long written = word & 0xffff_ffffL;
        if (written > buffers.writableBytes(id)) {
            if ((word >>> 48 & RingLayout.WRITE) != 0) {
                throw new DeviceFaultException("%d bytes written to buffer %d, which has room for %d"
                        .formatted(written, id, buffers.writableBytes(id)));
            }
            // Without the flag the length has no meaning (2.8.5), though some devices set the length alone.
            written = 0;
        }
        if (inOrder) {
            batchLeft = buffers.batchSize(id);
            batchWritten = written;
            takeFromBatch();
        } else {
            take(id, written);
        }
        return true;
    }

    private boolean isUsed(int flags) {
        int both = RingLayout.PACKED_AVAIL | RingLayout.PACKED_USED;
        return (flags & both) == usedFlags(usedWrap);
    }

    /** IN_ORDER: one used descriptor stands for all buffers up to its own (2.8.8). */
    private void takeFromBatch() {
        batchLeft--;
        int id = buffers.oldest();
        take(id, batchLeft == 0 ? batchWritten : buffers.writableBytes(id));
    }

    private void take(int id, long written) {
        token = buffers.token(id);
        writtenBytes = written;
        int entries = buffers.descriptorCount(id);
        buffers.remove(id);
        freeIds[freeIdCount++] = id;
        free += entries;
        usedPosition += entries;
        if (usedPosition >= size) {
            usedPosition -= size;
            usedWrap = !usedWrap;
        }
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
    public boolean hasUsed() {
        return batchLeft > 0 || isUsed(RingAccess.loadShortAcquire(ring, flagsOffset(usedPosition)));
    }

    @Override
    public void disableInterrupts() {
        if (interruptsEnabled) {
            interruptsEnabled = false;
            RingAccess.storeShort(driverEvent, RingLayout.EVENT_FLAGS, RingLayout.EVENT_FLAGS_DISABLE);
        }
    }

    @Override
    public boolean enableInterrupts() {
        interruptsEnabled = true;
        if (eventIndex) {
            // Position and flags in one store: the device must not see the one with the other's old value.
            int position = usedPosition | (usedWrap ? RingLayout.EVENT_WRAP : 0);
            RingAccess.storeInt(driverEvent, 0, position | RingLayout.EVENT_FLAGS_DESCRIPTOR << 16);
        } else {
            RingAccess.storeShort(driverEvent, RingLayout.EVENT_FLAGS, RingLayout.EVENT_FLAGS_ENABLE);
        }
        // The wish must be out before the look at the ring; the device publishes first and reads it then.
        VarHandle.fullFence();
        return hasUsed();
    }

    @Override
    public int outstanding() {
        return buffers.count();
    }

    @Override
    public QueueState state() {
        return new QueueState.Packed(publishedPosition, publishedWrap, usedPosition, usedWrap);
    }

    @Override
    public void reset(LongConsumer returned) {
        buffers.drain(returned);
        start(0, true);
    }
}
