package io.fairlead.vdpa.relay;

import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.GuestMemory;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The guest's memory, and beside it the relay's while there is one, as a device is given them. Under the device's lock. */
final class RelayMemory {
    private final int queueCount;

    /** The guest's. */
    private MemoryTable table = new MemoryTable(List.of());

    private @Nullable ShadowMemory shadow;

    RelayMemory(int queueCount) {
        this.queueCount = queueCount;
    }

    GuestMemory guest() {
        return table.memory();
    }

    /** Null while queues that start get no relay. */
    @Nullable
    ShadowMemory shadow() {
        return shadow;
    }

    /** Whether the relay's region has to move out of the way of another table of the guest's. */
    boolean collides(MemoryTable newTable) {
        ShadowMemory placed = shadow;
        return placed != null && placed.collides(newTable);
    }

    /** Takes another table of the guest's; the device is given it separately. */
    void replace(MemoryTable newTable) {
        newTable.memory().retain();
        table.memory().release();
        table = newTable;
    }

    /** Gives the device another table of the guest's. */
    void giveTo(VdpaDevice device, MemoryTable guestTable) throws IOException {
        ShadowMemory added = shadow;
        if (added == null) {
            device.memory(guestTable);
            return;
        }
        MemoryTable both = added.addedTo(guestTable);
        try {
            device.memory(both);
        } finally {
            both.release();
        }
    }

    void giveTo(VdpaDevice device) throws IOException {
        giveTo(device, table);
    }

    /** Places the relay's region where the guest has nothing, in the place of one that was there. */
    void enter(VdpaDevice device) throws IOException {
        int[] sizes = new int[queueCount];
        for (int i = 0; i < sizes.length; i++) {
            sizes[i] = device.maxQueueSize(i);
        }
        ShadowMemory before = shadow;
        ShadowMemory made = ShadowMemory.create(device.name(), table, device.deviceFeatures(), sizes);
        shadow = made;
        try {
            giveTo(device);
        } catch (IOException | RuntimeException e) {
            shadow = before;
            made.close();
            throw e;
        }
        if (before != null) {
            before.close();
        }
    }

    /** Takes the relay's region away; no queue uses it. */
    void leave(VdpaDevice device) throws IOException {
        ShadowMemory old = shadow;
        if (old != null) {
            shadow = null;
            try {
                giveTo(device);
            } finally {
                old.close();
            }
        }
    }

    /** Lets go of the guest's memory; the device is closed. */
    void close() {
        table.memory().release();
    }
}
