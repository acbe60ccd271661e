package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Repairs the in-flight region of a packed queue after its process was killed (vhost-user, "Inflight I/O tracking").
 * May be killed itself and run again. Everything read is checked: the region is another process's too.
 */
final class PackedInflightRecovery {
    private record Chain(int first, long counter) {}

    private final PackedInflight inflight;
    private final MemorySegment region;
    private final MemorySegment ring;
    private final int size;
    private final int[] next;
    private final boolean[] seen;
    private final List<Chain> chains = new ArrayList<>();

    private int usedIndex;
    private boolean usedWrap;
    private int freeHead;

    PackedInflightRecovery(PackedInflight inflight, MemorySegment ring, int size, int entries) {
        this.inflight = inflight;
        this.region = inflight.region();
        this.ring = ring;
        this.size = size;
        next = new int[entries];
        seen = new boolean[entries];
    }

    void run() throws GuestFaultException {
        settlePositions();
        for (int i = 0; i < next.length; i++) {
            next[i] = (int) (RingAccess.loadLong(region, PackedInflight.entry(i)) >>> 16) & 0xffff;
        }
        int free = clearFreeEntries();
        int taken = findChains();
        if (free + taken != next.length) {
            throw inconsistent();
        }
        chains.sort(Comparator.comparingLong(Chain::counter));
    }

    int usedIndex() {
        return usedIndex;
    }

    boolean usedWrap() {
        return usedWrap;
    }

    int freeHead() {
        return freeHead;
    }

    int[] links() {
        return next;
    }

    /** First entries of the unfinished chains, in the order in which they were taken. */
    int[] unfinished() {
        return chains.stream().mapToInt(Chain::first).toArray();
    }

    /** The next value of the counter. */
    long counter() {
        return chains.isEmpty() ? 0 : chains.getLast().counter() + 1;
    }

    /** Commits the last batch if the driver can see it, or takes it back. */
    private void settlePositions() throws GuestFaultException {
        long positions = RingAccess.loadLong(region, PackedInflight.POSITIONS_OFFSET);
        int index = (int) positions & 0xffff;
        int oldIndex = (int) (positions >>> 16) & 0xffff;
        boolean wrap = ((positions >>> 32) & 0xff) != 0;
        boolean oldWrap = ((positions >>> 40) & 0xff) != 0;
        int heads = RingAccess.loadInt(region, PackedInflight.FREE_HEAD_OFFSET);
        int head = heads & 0xffff;
        int oldHead = heads >>> 16;
        if (index >= size || oldIndex >= size || head > next.length || oldHead > next.length) {
            throw new GuestFaultException(
                    "in-flight region has used positions %d and %d, free entries %d and %d in a queue of %d"
                            .formatted(index, oldIndex, head, oldHead, size));
        }
        boolean underWay = index != oldIndex || wrap != oldWrap;
        boolean visible = underWay && !looksAvailable(oldIndex, oldWrap);
        if (underWay && !visible) {
            hideRest(oldIndex, oldWrap, index);
        }
        usedIndex = visible ? index : oldIndex;
        usedWrap = visible ? wrap : oldWrap;
        freeHead = visible ? head : oldHead;
        // The free list first: once the positions agree, a second run no longer knows which list is the right one.
        inflight.putFreeHeads(freeHead, freeHead);
        inflight.putPositions(usedIndex, usedWrap, usedIndex, usedWrap);
    }

    private boolean looksAvailable(int slot, boolean wrap) {
        long offset = RingLayout.descriptor(slot) + RingLayout.DESCRIPTOR_LENGTH;
        return PackedDeviceQueue.isAvailable(RingAccess.loadLongAcquire(ring, offset), wrap);
    }

    /**
     * Makes the rest of a batch invisible whose first descriptor the driver cannot see: a back-end may have written the
     * others' flags, which the driver would find when it comes to those slots.
     */
    private void hideRest(int first, boolean firstWrap, int end) {
        boolean wrap = firstWrap;
        int slot = first;
        do {
            long offset = RingLayout.descriptor(slot) + RingLayout.PACKED_DESCRIPTOR_FLAGS;
            int flags = RingAccess.loadShort(ring, offset);
            int wanted = (flags & ~(RingLayout.PACKED_AVAIL | RingLayout.PACKED_USED))
                    | (wrap ? RingLayout.PACKED_AVAIL : RingLayout.PACKED_USED);
            if (flags != wanted) {
                RingAccess.storeShortRelease(ring, offset, wanted);
                inflight.stored();
            }
            slot++;
            if (slot == size) {
                slot = 0;
                wrap = !wrap;
            }
        } while (slot != end);
    }

    /** A chain that was about to be taken or had become used still stands in flight; returns how many are free. */
    private int clearFreeEntries() throws GuestFaultException {
        int count = 0;
        for (int i = freeHead; i < next.length; i = next[i]) {
            visit(i);
            count++;
            if (RingAccess.loadByte(region, PackedInflight.entry(i) + PackedInflight.ENTRY_INFLIGHT) != 0) {
                inflight.putByte(PackedInflight.entry(i) + PackedInflight.ENTRY_INFLIGHT, 0);
            }
        }
        return count;
    }

    /** Finds the chains in flight; returns how many entries they take. */
    private int findChains() throws GuestFaultException {
        int total = 0;
        for (int i = 0; i < next.length; i++) {
            long word = RingAccess.loadLong(region, PackedInflight.entry(i));
            if ((word & 0xff) == 0) {
                continue;
            }
            int count = (int) (word >>> 48);
            total += count;
            if (count == 0 || total > size) {
                throw inconsistent();
            }
            int last = i;
            visit(last);
            for (int k = 1; k < count; k++) {
                last = next[last];
                visit(last);
            }
            if (last != ((int) (word >>> 32) & 0xffff)) {
                throw inconsistent();
            }
            long counter = RingAccess.loadLong(region, PackedInflight.entry(i) + PackedInflight.ENTRY_COUNTER);
            chains.add(new Chain(i, counter));
        }
        return total;
    }

    private void visit(int entry) throws GuestFaultException {
        if (entry >= next.length || seen[entry]) {
            throw inconsistent();
        }
        seen[entry] = true;
    }

    private static GuestFaultException inconsistent() {
        return new GuestFaultException("in-flight region: its chains and its free list do not fit together");
    }
}
