package io.fairlead.vdpa.relay;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A guest for tests: two regions of memory that touch, so that buffers may lie across, and a driver that sets a device up
 * through the contract. The rings lie at the start, the test's data behind.
 */
final class TestGuest implements AutoCloseable {
    static final long BASE = 0x4000_0000L;
    static final long BYTES = 4L << 20;
    /** Where the second region begins. */
    static final long SEAM = 3L << 20;

    static final int RING_BYTES = 512 << 10;
    static final long DATA = 2L * RING_BYTES;

    final VdpaDevice device;
    final Fd memoryFd;
    final MemoryRegion whole;
    final DriverQueue[] queues = new DriverQueue[2];
    final DriverRings[] rings = new DriverRings[2];
    final EventFd[] kicks = new EventFd[2];
    final EventFd[] calls = new EventFd[2];
    private @Nullable MemoryTable table;
    private final int queueSize;
    private long moreAddress;

    TestGuest(VdpaDevice device, int queueSize) throws IOException {
        this.device = device;
        this.queueSize = queueSize;
        memoryFd = Memfd.create("guest", BYTES);
        whole = MemoryRegion.map(memoryFd.duplicate(), 0, BASE, BASE, BYTES);
        memory(List.of());
    }

    /** Shows the device the memory and more regions, each as its guest address and bytes. */
    void memory(List<long[]> more) throws IOException {
        List<MemoryRegion> regions = new ArrayList<>();
        regions.add(MemoryRegion.map(memoryFd.duplicate(), 0, BASE, BASE, SEAM));
        regions.add(MemoryRegion.map(memoryFd.duplicate(), SEAM, BASE + SEAM, BASE + SEAM, BYTES - SEAM));
        for (long[] region : more) {
            moreAddress = region[0];
            regions.add(MemoryRegion.map(Memfd.create("more", region[1]), 0, region[0], region[0], region[1]));
        }
        replace(regions);
    }

    /** Leaves the device without memory. */
    void takeMemory() throws IOException {
        replace(List.of());
    }

    private void replace(List<MemoryRegion> regions) throws IOException {
        MemoryTable next = new MemoryTable(regions);
        regions.forEach(MemoryRegion::release);
        device.memory(next);
        if (table != null) {
            table.release();
        }
        table = next;
    }

    /** Where the last region lay that {@link #memory} added; 0 where none was. */
    long moreAddress() {
        return moreAddress;
    }

    void start(long features) throws IOException {
        device.status(1);
        device.status(1 | 2);
        device.driverFeatures(features);
        device.status(1 | 2 | 8);
        for (int i = 0; i < queues.length; i++) {
            prepare(i, features);
            device.queueReady(i, true);
        }
        device.status(1 | 2 | 8 | 4);
    }

    void prepare(int i, long features) throws IOException {
        int indirect = Feature.has(features, Feature.INDIRECT_DESC) ? 16 : 0;
        MemorySegment memory = whole.segment().asSlice((long) i * RING_BYTES, RING_BYTES);
        memory.fill((byte) 0);
        rings[i] = DriverRings.lay(memory, BASE + (long) i * RING_BYTES, queueSize, features, indirect);
        queues[i] = DriverQueue.create(rings[i]);
        device.queueSize(i, queueSize);
        device.queueAddresses(i, rings[i].descriptorAddress(), rings[i].driverAddress(), rings[i].deviceAddress());
        replaceEvents(i);
    }

    /** Other descriptors than before. */
    void replaceEvents(int i) throws IOException {
        closeEvents(i);
        kicks[i] = EventFd.create("kick");
        calls[i] = EventFd.create("call");
        device.queueKick(i, EventFd.adopt(kicks[i].fd().duplicate()));
        device.queueCall(i, EventFd.adopt(calls[i].fd().duplicate()));
    }

    void publish(int i) {
        if (queues[i].publish()) {
            kicks[i].signal();
        }
    }

    MemorySegment at(long guestAddress, long byteCount) {
        return whole.segment().asSlice(guestAddress - BASE, byteCount);
    }

    private void closeEvents(int i) {
        if (kicks[i] != null) {
            kicks[i].close();
            calls[i].close();
        }
    }

    @Override
    public void close() {
        for (int i = 0; i < queues.length; i++) {
            closeEvents(i);
        }
        if (table != null) {
            table.release();
        }
        whole.release();
        memoryFd.close();
    }
}
