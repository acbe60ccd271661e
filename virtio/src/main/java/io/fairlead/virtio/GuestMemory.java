package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * The guest's memory as the data path sees it: an immutable, bounds-checked table from guest (IOVA) addresses to host
 * memory. A new table replaces an old one when memory is mapped or unmapped; queues take the new one on their own
 * thread.
 *
 * <p>Accesses through {@link #segment} are checked by the segment's own bounds and life. Host addresses given to system
 * calls (from {@link #hostBase}) are not: whoever passes one on holds the table ({@link #retain}) until the call has
 * ended.
 *
 * <p>Thread-safe: immutable, the reference count is atomic.
 */
public final class GuestMemory {
    /**
     * One contiguous piece.
     *
     * @param guestAddress first guest address, bytes
     * @param segment the host memory, whose size is the region's size; readable and writable
     */
    public record Region(long guestAddress, MemorySegment segment) {
        /** First guest address after the region. */
        public long guestEnd() {
            return guestAddress + segment.byteSize();
        }
    }

    /** A table without memory: every address is a guest fault. */
    public static final GuestMemory EMPTY = new GuestMemory(List.of(), () -> {});

    private final Region[] regions;
    private final MemorySegment[] segments;
    private final long[] starts;
    private final long[] ends;
    private final long[] hostBases;
    private final ReferenceCount users;

    /**
     * Makes a table, with its creator as first user.
     *
     * @param regions the pieces, in any order; they must not overlap, wrap around or be empty
     * @param onUnused runs once, on the thread of the last {@link #release}
     * @throws IllegalArgumentException where regions overlap or wrap around
     */
    public GuestMemory(List<Region> regions, Runnable onUnused) {
        this.regions = regions.toArray(Region[]::new);
        Arrays.sort(this.regions, Comparator.comparingLong(Region::guestAddress));
        int count = this.regions.length;
        segments = new MemorySegment[count];
        starts = new long[count];
        ends = new long[count];
        hostBases = new long[count];
        for (int i = 0; i < count; i++) {
            Region region = this.regions[i];
            segments[i] = region.segment();
            starts[i] = region.guestAddress();
            ends[i] = region.guestEnd();
            hostBases[i] = region.segment().address() - region.guestAddress();
            if (starts[i] < 0 || ends[i] <= starts[i]) {
                throw new IllegalArgumentException("guest memory region at 0x%x of %d bytes is empty or wraps around"
                        .formatted(starts[i], region.segment().byteSize()));
            }
            if (i > 0 && starts[i] < ends[i - 1]) {
                throw new IllegalArgumentException(
                        "guest memory regions at 0x%x and 0x%x overlap".formatted(starts[i - 1], starts[i]));
            }
        }
        users = new ReferenceCount(onUnused);
    }

    /** The regions by ascending guest address. */
    public List<Region> regions() {
        return List.of(regions);
    }

    /**
     * The region that holds an address.
     *
     * @return its index for {@link #segment}, {@link #start}, {@link #end} and {@link #hostBase}
     * @throws GuestFaultException where no region holds it
     */
    public int regionOf(long guestAddress) throws GuestFaultException {
        int low = 0;
        int high = starts.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (starts[middle] <= guestAddress) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        int region = low - 1;
        if (region < 0 || guestAddress >= ends[region]) {
            throw new GuestFaultException("address 0x%x is outside the guest's memory".formatted(guestAddress));
        }
        return region;
    }

    /**
     * The region that holds an address, where that is likely the one of the address before.
     *
     * @param hint not negative; the answer of the last call, or 0
     */
    int regionOf(long guestAddress, int hint) throws GuestFaultException {
        if (hint < starts.length && guestAddress >= starts[hint] && guestAddress < ends[hint]) {
            return hint;
        }
        return regionOf(guestAddress);
    }

    public MemorySegment segment(int region) {
        return segments[region];
    }

    public long start(int region) {
        return starts[region];
    }

    public long end(int region) {
        return ends[region];
    }

    /** What to add to a guest address inside the region to get the host's address. */
    public long hostBase(int region) {
        return hostBases[region];
    }

    /**
     * The host memory of a range that must lie in one region, as rings must.
     *
     * @throws GuestFaultException where the range is not inside one region
     */
    public MemorySegment slice(long guestAddress, long byteSize) throws GuestFaultException {
        int region = regionOf(guestAddress);
        if (byteSize < 0 || byteSize > ends[region] - guestAddress) {
            throw new GuestFaultException("%d bytes at 0x%x run over the end of the guest's memory region at 0x%x"
                    .formatted(byteSize, guestAddress, ends[region]));
        }
        return segments[region].asSlice(guestAddress - starts[region], byteSize);
    }

    /** Keeps the host memory mapped until the matching {@link #release}. */
    public void retain() {
        users.retain();
    }

    /** Ends one use; the last one lets the host memory go. The creator holds the first use. */
    public void release() {
        users.release();
    }
}
