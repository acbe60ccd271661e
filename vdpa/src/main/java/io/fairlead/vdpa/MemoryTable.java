package io.fairlead.vdpa;

import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import java.util.ArrayList;
import java.util.List;

/**
 * All the guest memory of one device at one time. Immutable; a change makes a new table, and the old one lets go of the
 * regions that are gone when its last user does.
 *
 * <p>The creator holds one use of the table and ends it with {@link #release}; devices keep theirs by way of {@link
 * GuestMemory#retain}.
 */
public final class MemoryTable {
    private final List<MemoryRegion> regions;
    private final GuestMemory memory;

    /**
     * @param regions retained by the table; the caller keeps its own uses
     * @throws IllegalArgumentException where regions overlap in the guest's address space
     */
    public MemoryTable(List<MemoryRegion> regions) {
        this.regions = List.copyOf(regions);
        memory = new GuestMemory(
                this.regions.stream()
                        .map(region -> new GuestMemory.Region(region.guestAddress(), region.segment()))
                        .toList(),
                () -> this.regions.forEach(MemoryRegion::release));
        this.regions.forEach(MemoryRegion::retain);
    }

    public List<MemoryRegion> regions() {
        return regions;
    }

    /** The view of the data path. */
    public GuestMemory memory() {
        return memory;
    }

    /** A new table with one region more; this one stays as it is. */
    public MemoryTable plus(MemoryRegion region) {
        List<MemoryRegion> more = new ArrayList<>(regions);
        more.add(region);
        return new MemoryTable(more);
    }

    /** A new table without a region; this one stays as it is. */
    public MemoryTable minus(MemoryRegion region) {
        List<MemoryRegion> fewer = new ArrayList<>(regions);
        if (!fewer.remove(region)) {
            throw new IllegalArgumentException(region + " is not in the table");
        }
        return new MemoryTable(fewer);
    }

    /**
     * Translates an address of the peer's own address space, in which vhost-user gives ring addresses.
     *
     * @param byteCount bytes that must lie in the same region
     * @throws GuestFaultException where they do not
     */
    public long guestAddressOfUser(long userAddress, long byteCount) throws GuestFaultException {
        for (MemoryRegion region : regions) {
            if (region.holdsUserRange(userAddress, byteCount)) {
                return region.guestAddress() + (userAddress - region.userAddress());
            }
        }
        throw new GuestFaultException(
                "%d bytes at user address 0x%x are in no memory region".formatted(byteCount, userAddress));
    }

    /** Ends the creator's use. */
    public void release() {
        memory.release();
    }
}
