package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One buffer that a driver made available: the device-readable segments, then the device-writable ones, already
 * translated and bounds-checked. Made once and filled again for each request; for preadv and pwritev the segments are laid
 * in native memory as {@code struct iovec}, when they are first asked for.
 *
 * <p>A guest buffer that crosses from one memory region to the next becomes several segments. No meaning may be given to
 * where segments begin or end (virtio 1.4, 2.7.4: no framing).
 *
 * <p>Owned by the queue's thread while the request is in flight; a worker may use it between hand-over and completion.
 */
public final class DescriptorChain {
    /** The most segments of one chain: IOV_MAX, and what QEMU allows. */
    public static final int MAX_SEGMENTS = 1024;

    /** Bytes of native memory for the segments of one chain. */
    public static final long IOVEC_BYTES = 16L * MAX_SEGMENTS;

    /** The most bytes of one chain (virtio 1.4, 2.7.5). */
    private static final long MAX_BYTES = 1L << 32;

    /** The ring position of a chain that holds no request in flight. */
    static final int NOT_TAKEN = -1;

    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment iovec;

    /** For numbers that lie across segments. */
    private final MemorySegment scratch = MemorySegment.ofArray(new byte[Long.BYTES]);

    private long[] guestAddresses = new long[8];
    private long[] byteCounts = new long[8];
    private int[] regions = new int[8];
    private GuestMemory memory = GuestMemory.EMPTY;

    private int id;
    private int descriptorCount;
    private int segmentCount;
    private boolean laid;
    private int readableCount;
    private long readableBytes;
    private long writableBytes;
    private int ringPosition = NOT_TAKEN;
    private int inflightRecord;

    /** Taken from among the requests that an earlier process or another device left in flight. */
    private boolean resumed;

    private int regionHint;
    private @Nullable Object attachment;

    /**
     * Makes an empty chain.
     *
     * @param iovec {@link #IOVEC_BYTES} bytes of native memory, aligned to 8, owned by the caller
     */
    public DescriptorChain(MemorySegment iovec) {
        if (iovec.byteSize() < IOVEC_BYTES) {
            throw new IllegalArgumentException(
                    "a chain needs %d bytes for its segments, not %d".formatted(IOVEC_BYTES, iovec.byteSize()));
        }
        this.iovec = iovec;
    }

    // ---- filled by the queue ----

    /** Empties the chain for a new request in a memory table. */
    void begin(GuestMemory memory, int id) {
        this.memory = memory;
        this.id = id;
        descriptorCount = 0;
        segmentCount = 0;
        laid = false;
        readableCount = 0;
        readableBytes = 0;
        writableBytes = 0;
        ringPosition = NOT_TAKEN;
        resumed = false;
    }

    /**
     * Adds one descriptor's buffer.
     *
     * @throws GuestFaultException where it is empty, too long, outside the memory, or readable after a writable one
     */
    void add(long guestAddress, long byteCount, boolean writable) throws GuestFaultException {
        if (byteCount <= 0 || byteCount > MAX_BYTES - readableBytes - writableBytes) {
            throw badLength(byteCount);
        }
        if (!writable && writableBytes > 0) {
            throw new GuestFaultException("chain %d has a readable descriptor after a writable one".formatted(id));
        }
        int region = memory.regionOf(guestAddress, regionHint);
        regionHint = region;
        long here = memory.end(region) - guestAddress;
        if (byteCount <= here) {
            addSegment(region, guestAddress, byteCount);
        } else {
            addAcross(guestAddress, byteCount);
        }
        if (writable) {
            writableBytes += byteCount;
        } else {
            readableBytes += byteCount;
            readableCount = segmentCount;
        }
    }

    /** Adds a buffer that goes on in the next region. */
    private void addAcross(long guestAddress, long byteCount) throws GuestFaultException {
        long address = guestAddress;
        long left = byteCount;
        while (left > 0) {
            int region = memory.regionOf(address);
            long here = Math.min(left, memory.end(region) - address);
            addSegment(region, address, here);
            address += here;
            left -= here;
        }
    }

    private GuestFaultException badLength(long byteCount) {
        return new GuestFaultException(
                byteCount <= 0
                        ? "chain %d has an empty descriptor".formatted(id)
                        : "chain %d is longer than 4 GiB".formatted(id));
    }

    private void addSegment(int region, long guestAddress, long byteCount) throws GuestFaultException {
        int index = segmentCount;
        if (index == MAX_SEGMENTS) {
            throw new GuestFaultException("chain %d has more than %d segments".formatted(id, MAX_SEGMENTS));
        }
        if (index == guestAddresses.length) {
            guestAddresses = Arrays.copyOf(guestAddresses, index * 2);
            byteCounts = Arrays.copyOf(byteCounts, index * 2);
            regions = Arrays.copyOf(regions, index * 2);
        }
        guestAddresses[index] = guestAddress;
        byteCounts[index] = byteCount;
        regions[index] = region;
        segmentCount = index + 1;
    }

    void descriptorCount(int count) {
        descriptorCount = count;
    }

    /** The buffer's id, where it is known only at the end of the chain (packed). */
    void id(int id) {
        this.id = id;
    }

    /** A note of the queue's own: where in its order the chain was taken; {@link #NOT_TAKEN} once it is complete. */
    void ringPosition(int position) {
        ringPosition = position;
    }

    /** A note of the queue's own: the chain's entry in the packed in-flight region. */
    void inflightRecord(int record) {
        inflightRecord = record;
    }

    void resumed(boolean value) {
        resumed = value;
    }

    boolean isResumed() {
        return resumed;
    }

    int inflightRecord() {
        return inflightRecord;
    }

    /**
     * Ends the request in this slot.
     *
     * @throws IllegalStateException where there is none, as when it was completed before
     * @throws IllegalArgumentException where more is said to be written than there was room for
     */
    int finish(long writtenBytes) {
        int position = ringPosition;
        if (position == NOT_TAKEN) {
            throw new IllegalStateException("chain %d is not in flight".formatted(id));
        }
        if (writtenBytes < 0 || writtenBytes > writableBytes) {
            throw new IllegalArgumentException(
                    "%d bytes written to chain %d, which has room for %d".formatted(writtenBytes, id, writableBytes));
        }
        ringPosition = NOT_TAKEN;
        return position;
    }

    // ---- read by the device ----

    /** The buffer's id (split: index of the head descriptor). */
    public int id() {
        return id;
    }

    /** How many slots of the ring the chain takes; an indirect one takes one. */
    public int descriptorCount() {
        return descriptorCount;
    }

    public int segmentCount() {
        return segmentCount;
    }

    /** The first so many segments are device-readable; those after them are device-writable. */
    public int readableCount() {
        return readableCount;
    }

    public long readableBytes() {
        return readableBytes;
    }

    public long writableBytes() {
        return writableBytes;
    }

    /** The memory table that the segments were translated with. */
    public GuestMemory memory() {
        return memory;
    }

    public long segmentGuestAddress(int segment) {
        return guestAddresses[segment];
    }

    public long segmentBytes(int segment) {
        return byteCounts[segment];
    }

    /** Host address of a segment, for system calls; hold {@link #memory} while one runs. */
    public long segmentHostAddress(int segment) {
        return memory.hostBase(regions[segment]) + guestAddresses[segment];
    }

    /** Host address of the {@code struct iovec} of a segment; those of the next segments follow. */
    public long iovecAddress(int segment) {
        if (!laid) {
            lay();
        }
        return iovec.address() + 16L * segment;
    }

    private void lay() {
        laid = true;
        for (int i = 0; i < segmentCount; i++) {
            iovec.set(ValueLayout.JAVA_LONG, 16L * i, segmentHostAddress(i));
            iovec.set(ValueLayout.JAVA_LONG, 16L * i + 8, byteCounts[i]);
        }
    }

    /**
     * Copies from the device-readable bytes.
     *
     * @param offset first byte, counted over all readable segments
     * @throws IndexOutOfBoundsException where there are fewer readable bytes; check {@link #readableBytes} before
     */
    public void read(long offset, MemorySegment target, long targetOffset, int byteCount) {
        Objects.checkFromIndexSize(offset, byteCount, readableBytes);
        copy(0, offset, target, targetOffset, byteCount, false);
    }

    /**
     * Reads a little-endian 32-bit number from the device-readable bytes.
     *
     * @throws IndexOutOfBoundsException as {@link #read}
     */
    public int readInt(long offset) {
        if (offset >= 0 && readableCount > 0 && offset <= segmentBytes(0) - Integer.BYTES) {
            return memory.segment(regions[0]).get(LE_INT, regionOffset(0) + offset);
        }
        read(offset, scratch, 0, Integer.BYTES);
        return scratch.get(LE_INT, 0);
    }

    /**
     * Reads a little-endian 64-bit number from the device-readable bytes.
     *
     * @throws IndexOutOfBoundsException as {@link #read}
     */
    public long readLong(long offset) {
        if (offset >= 0 && readableCount > 0 && offset <= segmentBytes(0) - Long.BYTES) {
            return memory.segment(regions[0]).get(LE_LONG, regionOffset(0) + offset);
        }
        read(offset, scratch, 0, Long.BYTES);
        return scratch.get(LE_LONG, 0);
    }

    /**
     * Loads one byte of the first segment, so that it is in the processor's cache when it is looked at. Several chains
     * touched one after the other come at the same time.
     *
     * @return the byte, of which something has to be made, or the load is left out
     */
    public int touch() {
        return memory.segment(regions[0]).get(ValueLayout.JAVA_BYTE, regionOffset(0));
    }

    /**
     * Writes the last of the device-writable bytes, where many types have their status.
     *
     * @throws IndexOutOfBoundsException where there is no writable byte
     */
    public void writeLastByte(byte value) {
        Objects.checkIndex(0, writableBytes);
        int last = segmentCount - 1;
        memory.segment(regions[last]).set(ValueLayout.JAVA_BYTE, regionOffset(last) + segmentBytes(last) - 1, value);
    }

    private long regionOffset(int segment) {
        return guestAddresses[segment] - memory.start(regions[segment]);
    }

    /**
     * Copies into the device-writable bytes.
     *
     * @param offset first byte, counted over all writable segments
     * @throws IndexOutOfBoundsException where there are fewer writable bytes; check {@link #writableBytes} before
     */
    public void write(long offset, MemorySegment source, long sourceOffset, int byteCount) {
        Objects.checkFromIndexSize(offset, byteCount, writableBytes);
        copy(readableCount, offset, source, sourceOffset, byteCount, true);
    }

    /** Copies bytes that are there, from or to the segments that begin with a given one. */
    private void copy(int fromSegment, long offset, MemorySegment other, long otherOffset, int byteCount, boolean in) {
        long skip = offset;
        long at = otherOffset;
        long left = byteCount;
        for (int i = fromSegment; left > 0; i++) {
            long size = segmentBytes(i);
            if (skip >= size) {
                skip -= size;
                continue;
            }
            long here = Math.min(left, size - skip);
            int region = regions[i];
            long regionOffset = regionOffset(i) + skip;
            if (in) {
                MemorySegment.copy(other, at, memory.segment(region), regionOffset, here);
            } else {
                MemorySegment.copy(memory.segment(region), regionOffset, other, at, here);
            }
            at += here;
            left -= here;
            skip = 0;
        }
    }

    /** Tells the log of the first {@code byteCount} device-writable bytes. */
    void markWritten(DirtyLog log, long byteCount) {
        long left = byteCount;
        for (int i = readableCount; left > 0 && i < segmentCount; i++) {
            long here = Math.min(left, segmentBytes(i));
            log.mark(guestAddresses[i], here);
            left -= here;
        }
    }

    /** Whatever the device keeps with the request in this slot; made once, with the chain. */
    public @Nullable Object attachment() {
        return attachment;
    }

    public void attachment(@Nullable Object attachment) {
        this.attachment = attachment;
    }
}
