package io.fairlead.vhostuser.client;

import io.fairlead.linux.Fd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The guest memory that one connection's daemon has: descriptors handed through, and only what changed is told. The daemon
 * is told user addresses that lie a fixed distance above the guest's. One thread.
 */
final class BackendMemory {
    /** Not 0, which some daemons take for nothing; with any guest address far from the end of 64 bits. */
    static final long USER_BASE = 1L << 46;

    private final BackendConnection connection;
    private final BackendOffer offer;
    private List<MemoryRegion> sent = List.of();

    BackendMemory(BackendConnection connection, BackendOffer offer) {
        this.connection = connection;
        this.offer = offer;
    }

    /** Whether the daemon has a region that is not in a table. */
    boolean loses(MemoryTable table) throws IOException {
        return kept(table).size() < sent.size();
    }

    /** Takes away what is not in the table any more. */
    void remove(MemoryTable table) throws IOException {
        List<MemoryRegion> kept = kept(table);
        if (kept.size() == sent.size()) {
            sent = kept;
        } else if (slots()) {
            for (MemoryRegion region : List.copyOf(sent)) {
                if (find(table.regions(), region).isEmpty()) {
                    describe(region, 8);
                    connection.payload().asSlice(0, 8).fill((byte) 0);
                    connection.command(Request.REM_MEM_REG, Payload.REGION_BYTES, List.of());
                }
            }
            sent = kept;
        } else {
            sendTable(kept);
        }
    }

    /** Gives the daemon the whole table. */
    void replace(MemoryTable table) throws IOException {
        int limit = slots() ? offer.memorySlots() : Payload.MAX_TABLE_REGIONS;
        if (table.regions().size() > limit) {
            throw new IOException("the guest's memory has %d regions, the daemon takes at most %d"
                    .formatted(table.regions().size(), limit));
        }
        remove(table);
        if (sent.size() == table.regions().size()) {
            return;
        }
        if (!slots()) {
            sendTable(table.regions());
            return;
        }
        for (MemoryRegion region : table.regions()) {
            if (!sent.contains(region)) {
                connection.payload().asSlice(0, 8).fill((byte) 0);
                describe(region, 8);
                connection.command(Request.ADD_MEM_REG, Payload.REGION_BYTES, List.of(region.fd()));
                List<MemoryRegion> more = new ArrayList<>(sent);
                more.add(region);
                sent = List.copyOf(more);
            }
        }
    }

    private boolean slots() {
        return offer.has(ProtocolFeature.CONFIGURE_MEM_SLOTS);
    }

    /** SET_MEM_TABLE takes the place of all that was; an empty one is not allowed, and told with the next. */
    private void sendTable(List<MemoryRegion> regions) throws IOException {
        if (regions.isEmpty()) {
            return;
        }
        MemorySegment payload = connection.payload();
        payload.asSlice(0, Payload.MEMORY_TABLE_BYTES).fill((byte) 0);
        payload.set(ValueLayout.JAVA_INT_UNALIGNED, 0, regions.size());
        List<Fd> files = new ArrayList<>();
        for (MemoryRegion region : regions) {
            describe(region, Payload.MEMORY_TABLE_BYTES + (long) files.size() * Payload.TABLE_REGION_BYTES);
            files.add(region.fd());
        }
        connection.command(
                Request.SET_MEM_TABLE, Payload.MEMORY_TABLE_BYTES + regions.size() * Payload.TABLE_REGION_BYTES, files);
        sent = List.copyOf(regions);
    }

    private void describe(MemoryRegion region, long offset) {
        new Payload.Region(
                        region.guestAddress(), region.byteCount(), USER_BASE + region.guestAddress(), region.fdOffset())
                .write(connection.payload(), offset);
    }

    /** The table's regions that the daemon has. */
    private List<MemoryRegion> kept(MemoryTable table) throws IOException {
        List<MemoryRegion> kept = new ArrayList<>();
        for (MemoryRegion region : table.regions()) {
            if (find(sent, region).isPresent()) {
                kept.add(region);
            }
        }
        return List.copyOf(kept);
    }

    private static Optional<MemoryRegion> find(List<MemoryRegion> regions, MemoryRegion wanted) throws IOException {
        for (MemoryRegion region : regions) {
            if (region.isSameMemoryAs(wanted)) {
                return Optional.of(region);
            }
        }
        return Optional.empty();
    }
}
