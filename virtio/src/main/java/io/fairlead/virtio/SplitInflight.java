package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;

/**
 * The shared memory in which a split queue records its requests in flight, so that the next process can take them up
 * whenever this one is killed (vhost-user, "Inflight I/O tracking"). Little-endian, aligned to 64 bytes:
 *
 * <pre>
 * struct QueueRegionSplit {
 *     u64 features;          //  0: 0
 *     u16 version;           //  8: 1; 0 is not initialized
 *     u16 desc_num;          // 10: entries of desc
 *     u16 last_batch_head;   // 12: head of the list of the last batch of used descriptors
 *     u16 used_idx;          // 14: idx of the used ring
 *     struct DescStateSplit {
 *         u8  inflight;      //  0: 1 for the head of a chain in flight
 *         u8  padding[5];
 *         u16 next;          //  6: link of the last batch's list
 *         u64 counter;       //  8: order in which the chains were taken
 *     } desc[];              // 16
 * };
 * </pre>
 *
 * <p>Every store is a release, so that what a killed process leaves is a prefix of its stores in program order. Used by
 * the queue's thread alone.
 */
public class SplitInflight {
    static final int VERSION = 1;
    static final int FEATURES_OFFSET = 0;
    static final int VERSION_OFFSET = 8;
    static final int DESCRIPTOR_COUNT_OFFSET = 10;
    static final int LAST_BATCH_HEAD_OFFSET = 12;
    static final int USED_INDEX_OFFSET = 14;
    static final int HEADER_BYTES = 16;

    static final int ENTRY_BYTES = 16;
    static final int ENTRY_INFLIGHT = 0;
    static final int ENTRY_NEXT = 6;
    static final int ENTRY_COUNTER = 8;

    static final int ALIGNMENT = 64;

    private final MemorySegment region;
    private final int size;
    private final int[] batch;
    private int batchCount;
    private int lastBatchHead;
    private long counter;
    private int[] unfinished = {};
    private int nextUnfinished;

    /**
     * @param region at least {@link #byteCount} bytes of native memory
     * @param size of the queue
     */
    SplitInflight(MemorySegment region, int size) {
        requireRoom(region, byteCount(size));
        this.region = region;
        this.size = size;
        batch = new int[size];
    }

    /** Bytes of the region of one queue, a multiple of 64. */
    public static long byteCount(int queueSize) {
        return align(HEADER_BYTES + (long) ENTRY_BYTES * queueSize);
    }

    static long align(long byteCount) {
        return (byteCount + ALIGNMENT - 1) & -ALIGNMENT;
    }

    static void requireRoom(MemorySegment region, long byteCount) {
        if (region.byteSize() < byteCount || (region.address() & 7) != 0) {
            throw new IllegalArgumentException("an in-flight region needs %d bytes aligned to 8, not %d at 0x%x"
                    .formatted(byteCount, region.byteSize(), region.address()));
        }
    }

    /** Runs after each store to memory that outlives the process; a test takes snapshots here. */
    void stored() {}

    /**
     * Makes a new region ready, or repairs the one that an earlier process left.
     *
     * @param ringUsedIndex idx of the used ring in guest memory
     * @param carried heads of the chains that another device left in flight; checked to be of this queue
     * @return whether it was in use before, or is now by what was carried over; then {@link #unfinishedCount} is settled
     * @throws GuestFaultException where the region is not in order or holds other requests than those carried over
     */
    boolean open(int ringUsedIndex, List<Integer> carried) throws GuestFaultException {
        if (RingAccess.loadShort(region, VERSION_OFFSET) == 0) {
            adopt(ringUsedIndex, carried);
            return !carried.isEmpty();
        }
        reopen(ringUsedIndex);
        if (!carried.isEmpty()) {
            if (unfinishedCount() == 0) {
                adopt(ringUsedIndex, carried);
            } else if (!new HashSet<>(carried).equals(new HashSet<>(unfinished()))) {
                throw new GuestFaultException("in-flight region holds the heads %s, but those carried over are %s"
                        .formatted(unfinished(), carried));
            }
        }
        return true;
    }

    /** The heads of requests of a split queue. */
    static List<Integer> heads(InflightRequests requests) throws GuestFaultException {
        if (requests.isEmpty()) {
            return List.of();
        }
        if (requests instanceof InflightRequests.Split split) {
            return split.heads();
        }
        throw new GuestFaultException("requests in flight of a packed queue were carried over to a split one");
    }

    private void reopen(int ringUsedIndex) throws GuestFaultException {
        int version = RingAccess.loadShort(region, VERSION_OFFSET);
        int entries = RingAccess.loadShort(region, DESCRIPTOR_COUNT_OFFSET);
        if (version != VERSION || entries < size) {
            throw new GuestFaultException("in-flight region of version %d for %d entries does not fit a queue of %d"
                    .formatted(version, entries, size));
        }
        lastBatchHead = RingAccess.loadShort(region, LAST_BATCH_HEAD_OFFSET);
        finishLastBatch(ringUsedIndex);
        collectUnfinished();
    }

    /** Fills the region anew; until all stands there, its version says that there is nothing. */
    private void adopt(int ringUsedIndex, List<Integer> heads) {
        putShort(VERSION_OFFSET, 0);
        initialize(ringUsedIndex);
        for (int head : heads) {
            taken(head);
        }
        unfinished = heads.stream().mapToInt(Integer::intValue).toArray();
        nextUnfinished = 0;
        putShort(VERSION_OFFSET, VERSION);
    }

    private void initialize(int ringUsedIndex) {
        for (int i = 0; i < size; i++) {
            putByte(entry(i) + ENTRY_INFLIGHT, 0);
        }
        // The peer that made the region may have made it for a larger queue and said so.
        if (RingAccess.loadShort(region, DESCRIPTOR_COUNT_OFFSET) < size) {
            putShort(DESCRIPTOR_COUNT_OFFSET, size);
        }
        putShort(LAST_BATCH_HEAD_OFFSET, 0);
        putShort(USED_INDEX_OFFSET, ringUsedIndex);
        lastBatchHead = 0;
        counter = 0;
    }

    private void finishLastBatch(int ringUsedIndex) throws GuestFaultException {
        int count = (ringUsedIndex - RingAccess.loadShort(region, USED_INDEX_OFFSET)) & 0xffff;
        if (count == 0) {
            return;
        }
        if (!anyInflight()) {
            // The driver may have set up a new ring since; there is nothing of the old one to take up.
            putShort(USED_INDEX_OFFSET, ringUsedIndex);
            return;
        }
        int head = lastBatchHead;
        for (int i = 0; i < count; i++) {
            if (i == size || head >= size) {
                throw new GuestFaultException(
                        "in-flight region and used ring do not belong together: %d used since".formatted(count));
            }
            putByte(entry(head) + ENTRY_INFLIGHT, 0);
            head = RingAccess.loadShort(region, entry(head) + ENTRY_NEXT);
        }
        putShort(USED_INDEX_OFFSET, ringUsedIndex);
    }

    private boolean anyInflight() {
        for (int i = 0; i < size; i++) {
            if (RingAccess.loadByte(region, entry(i) + ENTRY_INFLIGHT) != 0) {
                return true;
            }
        }
        return false;
    }

    private void collectUnfinished() {
        record Unfinished(int head, long counter) {}
        List<Unfinished> found = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            if (RingAccess.loadByte(region, entry(i) + ENTRY_INFLIGHT) != 0) {
                found.add(new Unfinished(i, RingAccess.loadLong(region, entry(i) + ENTRY_COUNTER)));
            }
        }
        found.sort(Comparator.comparingLong(Unfinished::counter));
        unfinished = found.stream().mapToInt(Unfinished::head).toArray();
        nextUnfinished = 0;
        counter = found.isEmpty() ? 0 : found.getLast().counter() + 1;
    }

    /** How many requests of an earlier process are still to be taken up. */
    int unfinishedCount() {
        return unfinished.length - nextUnfinished;
    }

    /** The heads of all requests that were found or carried over, in their order. */
    List<Integer> unfinished() {
        return Arrays.stream(unfinished).boxed().toList();
    }

    /** How many of them were taken up. */
    int resumedCount() {
        return nextUnfinished;
    }

    /** The head of the next unfinished request. */
    int peekUnfinished() {
        return unfinished[nextUnfinished];
    }

    void dropUnfinished() {
        nextUnfinished++;
    }

    /** Takes back the last {@link #dropUnfinished}. */
    void restoreUnfinished(int head) {
        if (nextUnfinished == 0 || unfinished[nextUnfinished - 1] != head) {
            throw new IllegalStateException("a chain is given back that is not the youngest");
        }
        nextUnfinished--;
    }

    /** Whether a chain, whose head is one of the queue, is in flight. */
    boolean isInFlight(int head) {
        return RingAccess.loadByte(region, entry(head) + ENTRY_INFLIGHT) != 0;
    }

    /** Records that the driver's chain was taken. */
    void taken(int head) {
        long entry = entry(head);
        RingAccess.storeLongRelease(region, entry + ENTRY_COUNTER, counter++);
        stored();
        putByte(entry + ENTRY_INFLIGHT, 1);
    }

    /** Records that a chain was given back to the driver as it was. */
    void untaken(int head) {
        putByte(entry(head) + ENTRY_INFLIGHT, 0);
    }

    /** Adds a chain to the batch that the next used index will show to the driver. */
    void batched(int head) {
        putShort(entry(head) + ENTRY_NEXT, lastBatchHead);
        putShort(LAST_BATCH_HEAD_OFFSET, head);
        lastBatchHead = head;
        batch[batchCount++] = head;
    }

    /** Records that the driver sees the batch. */
    void published(int usedIndex) {
        for (int i = 0; i < batchCount; i++) {
            putByte(entry(batch[i]) + ENTRY_INFLIGHT, 0);
        }
        batchCount = 0;
        putShort(USED_INDEX_OFFSET, usedIndex);
    }

    private static long entry(int index) {
        return HEADER_BYTES + (long) ENTRY_BYTES * index;
    }

    private void putByte(long offset, int value) {
        RingAccess.storeByteRelease(region, offset, value);
        stored();
    }

    private void putShort(long offset, int value) {
        RingAccess.storeShortRelease(region, offset, value);
        stored();
    }
}
