package io.fairlead.vhostuser.server;

import io.fairlead.linux.Fd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.ProtocolException;
import io.fairlead.virtio.GuestFaultException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The guest's memory as one client described it, and the device's view of it. One thread; {@link #retained} any. */
final class SessionMemory implements AutoCloseable {
    private final VdpaDevice device;
    private final int maxRegions;
    private MemoryTable table = new MemoryTable(List.of());

    SessionMemory(VdpaDevice device, int maxRegions) {
        this.device = device;
        this.maxRegions = maxRegions;
    }

    /** SET_MEM_TABLE: all regions at once. Where one cannot be mapped, the old ones stay. */
    void replace(Connection connection) throws IOException, ProtocolException {
        MemorySegment payload = connection.payload();
        int count = Payload.u32(payload);
        if (count < 0 || count > Payload.MAX_TABLE_REGIONS) {
            throw new ProtocolException("memory table of %s regions, at most %d are allowed"
                    .formatted(Integer.toUnsignedString(count), Payload.MAX_TABLE_REGIONS));
        }
        long byteCount = Payload.MEMORY_TABLE_BYTES + (long) count * Payload.TABLE_REGION_BYTES;
        if (payload.byteSize() < byteCount) {
            throw new ProtocolException("memory table of %d regions in %d bytes".formatted(count, payload.byteSize()));
        }
        if (connection.descriptorCount() != count) {
            throw new ProtocolException("memory table of %d regions came with %d descriptors"
                    .formatted(count, connection.descriptorCount()));
        }
        List<MemoryRegion> regions = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                long offset = Payload.MEMORY_TABLE_BYTES + (long) i * Payload.TABLE_REGION_BYTES;
                regions.add(map(connection.takeDescriptor(), Payload.Region.read(payload, offset)));
            }
            apply(checkedTable(regions));
        } finally {
            regions.forEach(MemoryRegion::release);
        }
    }

    /** ADD_MEM_REG. */
    void add(Connection connection) throws IOException, ProtocolException {
        if (table.regions().size() == maxRegions) {
            throw new ProtocolException("more than %d memory regions".formatted(maxRegions));
        }
        MemoryRegion region = map(connection.takeDescriptor(), Payload.Region.read(connection.payload(), 8));
        try {
            List<MemoryRegion> regions = new ArrayList<>(table.regions());
            regions.add(region);
            apply(checkedTable(regions));
        } finally {
            region.release();
        }
    }

    /** REM_MEM_REG. */
    void remove(Connection connection) throws IOException, ProtocolException {
        Payload.Region wanted = Payload.Region.read(connection.payload(), 8);
        for (MemoryRegion region : table.regions()) {
            if (region.guestAddress() == wanted.guestAddress()
                    && region.userAddress() == wanted.userAddress()
                    && region.byteCount() == wanted.byteCount()) {
                apply(table.minus(region));
                return;
            }
        }
        throw new ProtocolException("memory region of %d bytes at guest address 0x%x is not there to be removed"
                .formatted(wanted.byteCount(), wanted.guestAddress()));
    }

    /** Translates a ring's address, which counts in the client's own address space. */
    long guestAddress(long userAddress, long byteCount) throws GuestFaultException {
        return table.guestAddressOfUser(userAddress, byteCount);
    }

    private static MemoryRegion map(Fd fd, Payload.Region region) throws IOException {
        return MemoryRegion.map(
                fd, region.fileOffset(), region.guestAddress(), region.userAddress(), region.byteCount());
    }

    private static MemoryTable checkedTable(List<MemoryRegion> regions) throws ProtocolException {
        try {
            return new MemoryTable(regions);
        } catch (IllegalArgumentException e) {
            throw new ProtocolException(String.valueOf(e.getMessage()));
        }
    }

    private void apply(MemoryTable next) throws IOException {
        try {
            device.memory(next);
        } catch (IOException | RuntimeException e) {
            next.release();
            throw e;
        }
        MemoryTable old;
        synchronized (this) {
            old = table;
            table = next;
        }
        old.release();
    }

    /** The table of now, with a use more that the caller ends. */
    synchronized MemoryTable retained() {
        table.memory().retain();
        return table;
    }

    /** Takes the memory from the device, which must have been reset. */
    @Override
    public void close() throws IOException {
        apply(new MemoryTable(List.of()));
    }
}
