package io.fairlead.devices.base;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A guest for tests: memory, and a driver that sets a device up through the contract. The first part of the memory holds
 * the rings, a page range a queue; the rest is the test's.
 */
public final class Guest implements AutoCloseable {
    public static final long BASE = 0x4000_0000L;
    public static final int RING_BYTES = 256 << 10;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(20);
    private static final long POLL_NANOS = 5_000;

    private final VdpaDevice device;
    private final Fd memoryFd;
    private final long memoryBytes;
    private final DriverQueue[] queues;
    private final DriverRings[] rings;
    private final EventFd[] kicks;
    private final EventFd[] calls;
    private MemoryRegion region;
    private MemoryTable table;
    private final int queueSize;
    private final int indirectEntries;

    public Guest(VdpaDevice device, long memoryBytes, int queueSize, int indirectEntries) throws IOException {
        this.device = device;
        this.memoryBytes = memoryBytes;
        this.queueSize = queueSize;
        this.indirectEntries = indirectEntries;
        memoryFd = Memfd.create("guest", memoryBytes);
        queues = new DriverQueue[device.queueCount()];
        rings = new DriverRings[device.queueCount()];
        kicks = new EventFd[device.queueCount()];
        calls = new EventFd[device.queueCount()];
        mapMemory();
    }

    private void mapMemory() throws IOException {
        MemoryRegion newRegion = MemoryRegion.map(memoryFd.duplicate(), 0, BASE, BASE, memoryBytes);
        MemoryTable newTable = new MemoryTable(List.of(newRegion));
        device.memory(newTable);
        if (table != null) {
            table.release();
            region.release();
        }
        region = newRegion;
        table = newTable;
    }

    /** Gives the device the same memory in a new table and lets go of the old one; the driver's rings stay mapped. */
    public void swapMemory() throws IOException {
        MemoryRegion newRegion = MemoryRegion.map(memoryFd.duplicate(), 0, BASE, BASE, memoryBytes);
        MemoryTable newTable = new MemoryTable(List.of(newRegion));
        device.memory(newTable);
        newTable.release();
        newRegion.release();
    }

    public Fd memoryFd() {
        return memoryFd;
    }

    public MemorySegment memory() {
        return region.segment();
    }

    /** First byte of the memory that the rings do not use. */
    public long dataOffset() {
        return (long) RING_BYTES * device.queueCount();
    }

    /** Negotiates features and starts all queues. */
    public void start(long features) throws IOException {
        device.driverFeatures(features);
        device.status(1 | 2 | 8);
        for (int i = 0; i < queues.length; i++) {
            startQueue(i, features);
        }
        device.status(1 | 2 | 4 | 8);
    }

    /** As {@link #start}, of one queue alone. */
    public void startOnly(int queue, long features) throws IOException {
        device.driverFeatures(features);
        device.status(1 | 2 | 8);
        startQueue(queue, features);
        device.status(1 | 2 | 4 | 8);
    }

    public void startQueue(int i, long features) throws IOException {
        prepareQueue(i, features);
        device.queueReady(i, true);
    }

    public void prepareQueue(int i, long features) throws IOException {
        long offset = (long) i * RING_BYTES;
        long byteCount = DriverRings.byteCount(queueSize, features, indirectEntries);
        if (byteCount > RING_BYTES) {
            throw new IllegalArgumentException("the rings do not fit");
        }
        MemorySegment memory = memory().asSlice(offset, RING_BYTES);
        memory.asSlice(0, byteCount).fill((byte) 0);
        rings[i] = DriverRings.lay(memory, BASE + offset, queueSize, features, indirectEntries);
        queues[i] = DriverQueue.create(rings[i]);
        connect(device, i);
    }

    /** Gives another device this guest's memory. */
    public void attach(VdpaDevice other) throws IOException {
        other.memory(table);
    }

    /** The memory as the device has it. */
    public MemoryTable table() {
        return table;
    }

    /** Settles one queue of a device, with kick and call of its own; the rings stay as they are. */
    public void connect(VdpaDevice target, int i) throws IOException {
        target.queueSize(i, queueSize);
        target.queueAddresses(i, rings[i].descriptorAddress(), rings[i].driverAddress(), rings[i].deviceAddress());
        closeDescriptors(i);
        kicks[i] = EventFd.create("kick");
        calls[i] = EventFd.create("call");
        target.queueKick(i, EventFd.adopt(kicks[i].fd().duplicate()));
        target.queueCall(i, EventFd.adopt(calls[i].fd().duplicate()));
    }

    private void closeDescriptors(int i) {
        if (kicks[i] != null) {
            kicks[i].close();
            calls[i].close();
        }
    }

    /** Waits for the next answer and takes it. Without a thread for each wait, of which there are very many. */
    public static void awaitAnswer(DriverQueue queue) {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!poll(queue)) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("no answer");
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    private static boolean poll(DriverQueue queue) {
        try {
            return queue.poll();
        } catch (DeviceFaultException e) {
            throw new AssertionError(e);
        }
    }

    public DriverQueue queue(int i) {
        return queues[i];
    }

    public DriverRings rings(int i) {
        return rings[i];
    }

    public EventFd call(int i) {
        return calls[i];
    }

    public void kick(int i) {
        kicks[i].signal();
    }

    /** Publishes and kicks where the device wants it. */
    public void publish(int i) {
        if (queues[i].publish()) {
            kicks[i].signal();
        }
    }

    @Override
    public void close() {
        for (int i = 0; i < queues.length; i++) {
            closeDescriptors(i);
        }
        table.release();
        region.release();
        memoryFd.close();
    }
}
