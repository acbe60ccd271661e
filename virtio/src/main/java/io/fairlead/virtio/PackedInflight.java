package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The shared memory in which a packed queue records its requests in flight, with copies of their descriptors, which the
 * ring loses when others are used out of order (vhost-user, "Inflight I/O tracking"). Little-endian, aligned to 64
 * bytes:
 *
 * <pre>
 * struct QueueRegionPacked {
 *     u64 features;               //  0: 0
 *     u16 version;                //  8: 1; 0 is not initialized
 *     u16 desc_num;               // 10: entries of desc
 *     u16 free_head;              // 12: head of the list of free entries
 *     u16 old_free_head;          // 14: the same, before what is under way
 *     u16 used_idx;               // 16: next used descriptor in the ring
 *     u16 old_used_idx;           // 18: the same, before what is under way
 *     u8  used_wrap_counter;      // 20
 *     u8  old_used_wrap_counter;  // 21
 *     u8  padding[7];             // 22
 *     struct DescStatePacked {
 *         u8  inflight;           //  0: 1 for the first entry of a chain in flight
 *         u8  padding;
 *         u16 next;               //  2: next entry, of the chain or of the free list; desc_num ends it
 *         u16 last;               //  4: last entry of the chain; in its first entry
 *         u16 num;                //  6: entries of the chain; in its first entry
 *         u64 counter;            //  8: order in which the chains were taken; in the first entry
 *         u16 id;                 // 16: the descriptor
 *         u16 flags;              // 18
 *         u32 len;                // 20
 *         u64 addr;               // 24
 *     } desc[];                   // 32
 * };
 * </pre>
 *
 * <p>A chain counts as taken once old_free_head has moved on, and as used once its flags stand in the ring. Chains are
 * used one by one, so that nothing of a half-done batch has to be taken back from the ring. The used positions, old and
 * new, with their wrap counters lie in one aligned word and are stored at once: no instant shows an index with the wrap
 * counter of another.
 *
 * <p>Every store is a release, so that what a killed process leaves is a prefix of its stores in program order. The
 * links are kept in this process too, so that a peer that scribbles over the region cannot mislead it. Used by the
 * queue's thread alone.
 */
public class PackedInflight {
    static final int VERSION = 1;
    static final int VERSION_OFFSET = 8;
    static final int DESCRIPTOR_COUNT_OFFSET = 10;
    static final int FREE_HEAD_OFFSET = 12;
    static final int OLD_FREE_HEAD_OFFSET = 14;
    static final int POSITIONS_OFFSET = 16;
    static final int HEADER_BYTES = 32;

    static final int ENTRY_BYTES = 32;
    static final int ENTRY_INFLIGHT = 0;
    static final int ENTRY_NEXT = 2;
    static final int ENTRY_COUNTER = 8;
    static final int ENTRY_DESCRIPTOR = 16;
    static final int ENTRY_ADDRESS = 24;

    private final MemorySegment region;
    private final int size;
    private int[] next = {};
    private int freeHead;
    private int usedIndex;
    private boolean usedWrap;
    private long counter;

    private int stagedCount;
    private int stagedLast;
    private int cursor;

    private int[] unfinished = {};
    private int nextUnfinished;

    /**
     * @param region at least {@link #byteCount} bytes of native memory
     * @param size of the queue
     */
    PackedInflight(MemorySegment region, int size) {
        SplitInflight.requireRoom(region, byteCount(size));
        this.region = region;
        this.size = size;
    }

    /** Bytes of the region of one queue, a multiple of 64. */
    public static long byteCount(int queueSize) {
        return SplitInflight.align(HEADER_BYTES + (long) ENTRY_BYTES * queueSize);
    }

    /** Runs after each store to memory that outlives the process; a test takes snapshots here. */
    void stored() {}

    /**
     * Makes a new region ready, or repairs the one that an earlier process left.
     *
     * @param ring the descriptor ring
     * @param state where a new queue starts
     * @param carried what another device left in flight; checked to be of this queue
     * @return whether it was in use before, or is now by what was carried over; then the used position and the unfinished
     *     chains are settled
     * @throws GuestFaultException where the region is not in order or holds other requests than those carried over
     */
    boolean open(MemorySegment ring, QueueState.Packed state, List<InflightRequests.Chain> carried)
            throws GuestFaultException {
        boolean isNew = isNew();
        if (!isNew) {
            reopen(ring);
        }
        if (isNew || !carried.isEmpty()) {
            adopt(state, carried);
        }
        return !isNew || !carried.isEmpty();
    }

    /** As {@link #open} for a region whose queue was stopped and not killed: its ring is not needed. */
    void openStopped() throws GuestFaultException {
        if (!isNew()) {
            long positions = RingAccess.loadLong(region, POSITIONS_OFFSET);
            if ((positions & 0xffff) != (positions >>> 16 & 0xffff)
                    || (positions >>> 32 & 0xff) != (positions >>> 40 & 0xff)) {
                throw new GuestFaultException("in-flight region is of a queue that was not stopped in order");
            }
            reopen(region);
        }
    }

    boolean isNew() {
        return RingAccess.loadShort(region, VERSION_OFFSET) == 0;
    }

    /** The chains of requests of a packed queue. */
    static List<InflightRequests.Chain> chains(InflightRequests requests) throws GuestFaultException {
        if (requests.isEmpty()) {
            return List.of();
        }
        if (requests instanceof InflightRequests.Packed packed) {
            return packed.chains();
        }
        throw new GuestFaultException("requests in flight of a split queue were carried over to a packed one");
    }

    private void reopen(MemorySegment ring) throws GuestFaultException {
        int version = RingAccess.loadShort(region, VERSION_OFFSET);
        int entries = RingAccess.loadShort(region, DESCRIPTOR_COUNT_OFFSET);
        if (version != VERSION || entries < size || entry(entries) > region.byteSize()) {
            throw new GuestFaultException("in-flight region of version %d for %d entries does not fit a queue of %d"
                    .formatted(version, entries, size));
        }
        PackedInflightRecovery recovery = new PackedInflightRecovery(this, ring, size, entries);
        recovery.run();
        next = recovery.links();
        freeHead = recovery.freeHead();
        usedIndex = recovery.usedIndex();
        usedWrap = recovery.usedWrap();
        unfinished = recovery.unfinished();
        nextUnfinished = 0;
        counter = recovery.counter();
    }

    /** Fills a region that holds nothing; until all stands there, its version says that there is nothing. */
    void adopt(QueueState.Packed state, List<InflightRequests.Chain> carried) throws GuestFaultException {
        if (unfinishedCount() > 0) {
            requireSame(carried);
            return;
        }
        putShort(VERSION_OFFSET, 0);
        initialize(state);
        unfinished = new int[carried.size()];
        nextUnfinished = 0;
        for (int i = 0; i < unfinished.length; i++) {
            stageChain();
            for (InflightRequests.Descriptor descriptor : carried.get(i).descriptors()) {
                stage(descriptor.address(), word(descriptor));
            }
            unfinished[i] = taken();
        }
        putShort(VERSION_OFFSET, VERSION);
    }

    private void requireSame(List<InflightRequests.Chain> carried) throws GuestFaultException {
        Set<Integer> here = new HashSet<>();
        for (int first : unfinished) {
            here.add(chain(first).bufferId());
        }
        Set<Integer> there = new HashSet<>();
        carried.forEach(chain -> there.add(chain.bufferId()));
        if (!here.equals(there)) {
            throw new GuestFaultException(
                    "in-flight region holds the buffers %s, but those carried over are %s".formatted(here, there));
        }
    }

    private static long word(InflightRequests.Descriptor descriptor) {
        return (descriptor.byteCount() & 0xffff_ffffL)
                | ((long) descriptor.bufferId() << 32)
                | ((long) descriptor.flags() << 48);
    }

    /** The chain that starts at an entry. */
    InflightRequests.Chain chain(int first) throws GuestFaultException {
        List<InflightRequests.Descriptor> descriptors = new ArrayList<>();
        int entry = first;
        for (int i = descriptorCount(first); i > 0; i--) {
            if (entry >= next.length) {
                throw new GuestFaultException("in-flight region changed while it was read");
            }
            long word = descriptorWord(entry);
            descriptors.add(new InflightRequests.Descriptor(
                    address(entry), (int) word, (int) (word >>> 32) & 0xffff, (int) (word >>> 48)));
            entry = next(entry);
        }
        return new InflightRequests.Chain(descriptors);
    }

    private void initialize(QueueState.Packed state) {
        // The peer that made the region may have made it for a larger queue and said so.
        int entries = RingAccess.loadShort(region, DESCRIPTOR_COUNT_OFFSET);
        if (entries < size || entry(entries) > region.byteSize()) {
            entries = size;
            putShort(DESCRIPTOR_COUNT_OFFSET, entries);
        }
        next = new int[entries];
        for (int i = 0; i < entries; i++) {
            next[i] = i + 1;
            putLong(entry(i), headWord(0, next[i], 0, 0));
        }
        freeHead = 0;
        usedIndex = state.usedIndex();
        usedWrap = state.usedWrap();
        putFreeHeads(0, 0);
        putPositions(usedIndex, usedWrap, usedIndex, usedWrap);
        counter = 0;
    }

    // ---- requests of an earlier process or another device ----

    int unfinishedCount() {
        return unfinished.length - nextUnfinished;
    }

    /** How many of the unfinished chains were taken up. */
    int resumedCount() {
        return nextUnfinished;
    }

    /** The first entry of the next unfinished chain. */
    int peekUnfinished() {
        return unfinished[nextUnfinished];
    }

    void dropUnfinished() {
        nextUnfinished++;
    }

    /** Takes back the last {@link #dropUnfinished}. */
    void restoreUnfinished(int first) {
        if (nextUnfinished == 0 || unfinished[nextUnfinished - 1] != first) {
            throw new IllegalStateException("a chain is given back that is not the youngest");
        }
        nextUnfinished--;
    }

    /** How many ring slots the unfinished chains take. */
    int unfinishedSlots() {
        int slots = 0;
        for (int i = nextUnfinished; i < unfinished.length; i++) {
            slots += descriptorCount(unfinished[i]);
        }
        return slots;
    }

    /** Descriptors of the chain that starts at an entry. */
    int descriptorCount(int first) {
        return (int) (RingAccess.loadLong(region, entry(first)) >>> 48);
    }

    /** The entry after another of the same chain. */
    int next(int entry) {
        return next[entry];
    }

    long address(int entry) {
        return RingAccess.loadLong(region, entry(entry) + ENTRY_ADDRESS);
    }

    /** A copied descriptor's length, id and flags, as the ring has them. */
    long descriptorWord(int entry) {
        long word = RingAccess.loadLong(region, entry(entry) + ENTRY_DESCRIPTOR);
        return Long.rotateLeft(word, 32);
    }

    int usedIndex() {
        return usedIndex;
    }

    boolean usedWrap() {
        return usedWrap;
    }

    // ---- taking a chain ----

    /** Begins a chain; one that was begun and not taken is forgotten. */
    void stageChain() {
        stagedCount = 0;
        cursor = freeHead;
    }

    /** Copies a descriptor of the chain, its length, id and flags as the ring has them. */
    void stage(long address, long descriptorWord) {
        long entry = entry(cursor);
        putLong(entry + ENTRY_DESCRIPTOR, Long.rotateLeft(descriptorWord, 32));
        putLong(entry + ENTRY_ADDRESS, address);
        stagedLast = cursor;
        stagedCount++;
        cursor = next[cursor];
    }

    /**
     * Records that the staged chain was taken.
     *
     * @return its first entry
     */
    int taken() {
        int first = freeHead;
        putLong(entry(first) + ENTRY_COUNTER, counter++);
        putLong(entry(first), headWord(1, next[first], stagedLast, stagedCount));
        freeHead = cursor;
        putFreeHeads(freeHead, freeHead);
        return first;
    }

    /** Records that a chain was given back to the driver as it was. */
    void untaken(int first) {
        int last = (int) (RingAccess.loadLong(region, entry(first)) >>> 32) & 0xffff;
        next[last] = freeHead;
        putShort(entry(last) + ENTRY_NEXT, freeHead);
        freeHead = first;
        // From here on the chain is free: whoever finds it among the free ones clears its mark.
        putFreeHeads(first, first);
        putByte(entry(first) + ENTRY_INFLIGHT, 0);
    }

    // ---- using a chain ----

    /** Records that a chain is about to become used, which moves the used position to a new one. */
    void using(int first, int newUsedIndex, boolean newUsedWrap) {
        int last = (int) (RingAccess.loadLong(region, entry(first)) >>> 32) & 0xffff;
        int oldFreeHead = freeHead;
        next[last] = oldFreeHead;
        putShort(entry(last) + ENTRY_NEXT, oldFreeHead);
        freeHead = first;
        putFreeHeads(first, oldFreeHead);
        putPositions(newUsedIndex, newUsedWrap, usedIndex, usedWrap);
        usedIndex = newUsedIndex;
        usedWrap = newUsedWrap;
    }

    /** Records that the chain is used: its flags stand in the ring. */
    void used(int first) {
        putByte(entry(first) + ENTRY_INFLIGHT, 0);
        putFreeHeads(freeHead, freeHead);
        putPositions(usedIndex, usedWrap, usedIndex, usedWrap);
    }

    // ---- memory ----

    MemorySegment region() {
        return region;
    }

    static long entry(int index) {
        return HEADER_BYTES + (long) ENTRY_BYTES * index;
    }

    private static long headWord(int inflight, int next, int last, int count) {
        return ((long) count << 48) | ((long) last << 32) | ((long) next << 16) | inflight;
    }

    void putFreeHeads(int head, int oldHead) {
        RingAccess.storeIntRelease(region, FREE_HEAD_OFFSET, (oldHead << 16) | head);
        stored();
    }

    void putPositions(int index, boolean wrap, int oldIndex, boolean oldWrap) {
        long wraps = (wrap ? 1 : 0) | (oldWrap ? 1 << 8 : 0);
        putLong(POSITIONS_OFFSET, (wraps << 32) | ((long) oldIndex << 16) | index);
    }

    void putByte(long offset, int value) {
        RingAccess.storeByteRelease(region, offset, value);
        stored();
    }

    private void putShort(long offset, int value) {
        RingAccess.storeShortRelease(region, offset, value);
        stored();
    }

    private void putLong(long offset, long value) {
        RingAccess.storeLongRelease(region, offset, value);
        stored();
    }
}
