package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.Errno;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Vhost;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The guest's memory as one device of the kernel has it mapped: at the guest's own addresses, in address space 0, which all
 * queues use. Only what differs is told, in one batch. A region that is mapped is held until it is not any more, though the
 * front-end may have mapped the same memory anew: there are devices that go by our addresses.
 *
 * <p>Under the device's lock.
 */
final class GuestMappings {
    /** A mapped region; the table holds it. */
    private record Held(MemoryRegion region, MemoryTable table) {
        static Held of(MemoryRegion region) {
            return new Held(region, new MemoryTable(List.of(region)));
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(GuestMappings.class);
    private static final int ADDRESS_SPACE = 0;

    /** What is refused and not larger is refused as a whole. */
    private static final long SMALLEST_PIECE_BYTES = 16 * PinLimit.PAGE_BYTES;

    private final String device;
    private final VhostVdpaLink link;
    private final VhostVdpaOffer offer;
    private final PinLimit limit;
    private List<Held> mapped = List.of();

    /** Whether the device was seen to pin what it has mapped. */
    private boolean pins;

    GuestMappings(String device, VhostVdpaLink link, VhostVdpaOffer offer, PinLimit limit) {
        this.device = device;
        this.link = link;
        this.offer = offer;
        this.limit = limit;
    }

    /** Bytes that the device has mapped. */
    long byteCount() {
        return mapped.stream().mapToLong(held -> held.region.byteCount()).sum();
    }

    /**
     * Maps a table in place of what was mapped. Where that fails, what was mapped before is again.
     *
     * @throws IOException where a region lies where the device cannot reach, or the kernel refuses: says what to do
     */
    void replace(MemoryTable next) throws IOException {
        List<Held> kept = new ArrayList<>();
        List<Held> gone = new ArrayList<>();
        for (Held held : mapped) {
            (holds(next.regions(), held.region) ? kept : gone).add(held);
        }
        List<MemoryRegion> added = new ArrayList<>();
        List<MemoryRegion> known = kept.stream().map(Held::region).toList();
        for (MemoryRegion region : next.regions()) {
            if (!holds(known, region)) {
                check(region);
                added.add(region);
            }
        }
        if (gone.isEmpty() && added.isEmpty()) {
            return;
        }
        long addedBytes = added.stream().mapToLong(MemoryRegion::byteCount).sum();
        long goneBytes =
                gone.stream().mapToLong(held -> held.region.byteCount()).sum();
        long more = Math.max(0, addedBytes - (pins ? goneBytes : 0));
        long needed = addedBytes == 0 ? 0 : limit.shortOf(more);
        if (pins && needed > 0) {
            throw new IOException(limit.remedy(device, more, needed));
        }
        long pinnedBefore = limit.pinnedBytes();
        exchange(kept, gone, added, more, needed);
        pins |= addedBytes > goneBytes && limit.pinnedBytes() > pinnedBefore;
    }

    private void exchange(List<Held> kept, List<Held> gone, List<MemoryRegion> added, long more, long needed)
            throws IOException {
        List<Held> made = new ArrayList<>();
        IOException failure = null;
        batch(Vhost.VHOST_IOTLB_BATCH_BEGIN);
        try {
            for (Held held : gone) {
                unmap(held.region);
            }
            for (MemoryRegion region : added) {
                map(region);
                made.add(Held.of(region));
            }
        } catch (IOException e) {
            failure = e;
            undo(gone, made);
        } finally {
            batch(Vhost.VHOST_IOTLB_BATCH_END);
        }
        if (failure != null) {
            made.forEach(held -> held.table.release());
            throw needed > 0
                    ? new IOException(limit.remedy(device, more, needed), failure)
                    : new IOException(
                            "%s: the kernel does not map the guest's memory (%s); it must be shared memory with pages that"
                                            .formatted(device, failure.getMessage())
                                    + " can be pinned, such as memory-backend-memfd with share=on, in no more pieces than"
                                    + " vhost_vdpa's parameter max_iotlb_entries allows: huge pages (hugetlb=on) have"
                                    + " few, or load vhost_vdpa with max_iotlb_entries=4194304",
                            failure);
        }
        kept.addAll(made);
        mapped = List.copyOf(kept);
        gone.forEach(held -> held.table.release());
    }

    /** Within the batch that failed. */
    private void undo(List<Held> gone, List<Held> made) {
        try {
            for (Held held : made) {
                unmap(held.region);
            }
            for (Held held : gone) {
                // Some may not have been taken away.
                unmap(held.region);
                map(held.region);
            }
        } catch (IOException e) {
            LOG.error("{}: memory that was mapped is not any more: {}", device, e.getMessage());
        }
    }

    private void batch(int type) throws IOException {
        if (offer.batches()) {
            link.iotlb(type, ADDRESS_SPACE, 0, 0, 0);
        }
    }

    private void map(MemoryRegion region) throws IOException {
        try {
            map(region, 0, region.byteCount());
        } catch (IOException e) {
            unmap(region);
            throw e;
        }
    }

    /**
     * Maps a part of a region, whole or, where the kernel refuses that, in halves: what is refused is then known to
     * the page or so, and the rest of a region that fails for its size is mapped.
     */
    private void map(MemoryRegion region, long offset, long byteCount) throws IOException {
        try {
            link.iotlb(
                    Vhost.VHOST_IOTLB_UPDATE,
                    ADDRESS_SPACE,
                    region.guestAddress() + offset,
                    byteCount,
                    region.segment().address() + offset);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EFAULT || byteCount <= SMALLEST_PIECE_BYTES) {
                throw e;
            }
            long half = (byteCount / 2 + PinLimit.PAGE_BYTES - 1) & -PinLimit.PAGE_BYTES;
            map(region, offset, half);
            map(region, offset + half, byteCount - half);
        }
    }

    private void unmap(MemoryRegion region) throws IOException {
        link.iotlb(Vhost.VHOST_IOTLB_INVALIDATE, ADDRESS_SPACE, region.guestAddress(), region.byteCount(), 0);
    }

    private void check(MemoryRegion region) throws IOException {
        long first = region.guestAddress();
        long last = first + region.byteCount() - 1;
        if (Long.compareUnsigned(first, offer.firstAddress()) < 0
                || Long.compareUnsigned(last, offer.lastAddress()) > 0) {
            throw new IOException("%s: %s is beyond what the device reaches, 0x%x to 0x%x"
                    .formatted(device, region, offer.firstAddress(), offer.lastAddress()));
        }
        if (((first | region.byteCount() | region.segment().address()) & PinLimit.PAGE_BYTES - 1) != 0) {
            throw new IOException("%s: %s does not start and end with pages of %d bytes, in the guest and in its file"
                    .formatted(device, region, PinLimit.PAGE_BYTES));
        }
    }

    private static boolean holds(List<MemoryRegion> regions, MemoryRegion wanted) throws IOException {
        for (MemoryRegion region : regions) {
            if (region.isSameMemoryAs(wanted)) {
                return true;
            }
        }
        return false;
    }

    /** Takes all away; the device must not run. */
    void clear() throws IOException {
        try (MemoryTableUse none = new MemoryTableUse(new MemoryTable(List.of()))) {
            replace(none.table());
        }
    }

    private record MemoryTableUse(MemoryTable table) implements AutoCloseable {
        @Override
        public void close() {
            table.release();
        }
    }

    /** The device is gone, and its mappings with it. */
    void forget() {
        mapped.forEach(held -> held.table.release());
        mapped = List.of();
    }
}
