package io.fairlead.systemtests.kernel;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A driver of our own, with rings in shared memory, over the device contract; in an L1 host, where the devices are. */
final class DriverInL1 implements AutoCloseable {
    static final long BASE = 0x10_0000;
    static final long MEMORY_BYTES = 32 << 20;
    static final int STATUS_AGREED = 1 | 2 | 8;
    static final int STATUS_LIVE = STATUS_AGREED | 4;

    private static final int RING_BYTES = 256 << 10;
    private static final int QUEUE_SIZE = 64;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(20);
    private static final int HEADER = 0;
    private static final int STATUS = 32;

    /** Of one request of a disk, within {@link #scratch}. */
    private static final int DATA = 4096;

    private final VdpaDevice device;
    private final MemoryRegion region;
    private final List<MemoryRegion> plugged = new ArrayList<>();
    private MemoryTable table;
    private final DriverQueue[] queues;
    private final DriverRings[] rings;
    private final EventFd[] kicks;
    private final EventFd[] calls;

    DriverInL1(VdpaDevice device) throws IOException {
        this.device = device;
        queues = new DriverQueue[device.queueCount()];
        rings = new DriverRings[device.queueCount()];
        kicks = new EventFd[device.queueCount()];
        calls = new EventFd[device.queueCount()];
        region = MemoryRegion.map(Memfd.create("driver", MEMORY_BYTES), 0, BASE, BASE, MEMORY_BYTES);
        table = new MemoryTable(List.of(region));
        device.memory(table);
    }

    /** Negotiates and starts the first queues, with the status as a front-end writes it. */
    void start(long features, int queueCount) throws IOException {
        device.driverFeatures(features);
        device.status(STATUS_AGREED);
        if (device.status() != STATUS_AGREED) {
            throw new IOException("the device refuses features 0x%x".formatted(features));
        }
        for (int i = 0; i < queueCount; i++) {
            startQueue(i, features);
        }
        device.status(STATUS_LIVE);
    }

    /** Starts a queue at its beginning, others may run. */
    void startQueue(int i, long features) throws IOException {
        long offset = (long) i * RING_BYTES;
        MemorySegment memory = region.segment().asSlice(offset, RING_BYTES);
        memory.fill((byte) 0);
        int size = Math.min(QUEUE_SIZE, device.maxQueueSize(i));
        rings[i] = DriverRings.lay(memory, BASE + offset, size, features, 0);
        queues[i] = DriverQueue.create(rings[i]);
        connect(i);
        device.queueState(i, QueueState.initial(rings[i].packed()));
        device.queueReady(i, true);
    }

    private void connect(int i) throws IOException {
        device.queueSize(i, rings[i].size());
        device.queueAddresses(i, rings[i].descriptorAddress(), rings[i].driverAddress(), rings[i].deviceAddress());
        if (kicks[i] == null) {
            kicks[i] = EventFd.create("kick");
            calls[i] = EventFd.create("call");
        }
        device.queueKick(i, EventFd.adopt(kicks[i].fd().duplicate()));
        device.queueCall(i, EventFd.adopt(calls[i].fd().duplicate()));
    }

    /** Stops a queue and starts it where it stood. */
    QueueState stopAndStart(int i) throws IOException {
        device.queueReady(i, false);
        QueueState state = device.queueState(i);
        connect(i);
        device.queueState(i, state);
        device.queueReady(i, true);
        return state;
    }

    DriverQueue queue(int i) {
        return queues[i];
    }

    /** Where tests put buffers: behind the rings of all queues. */
    long scratch() {
        return BASE + (long) RING_BYTES * Math.max(queues.length, 4);
    }

    /** The memory at a guest address. */
    MemorySegment at(long address, long byteCount) {
        for (MemoryRegion other : plugged) {
            if (address >= other.guestAddress()) {
                return other.segment().asSlice(address - other.guestAddress(), byteCount);
            }
        }
        return region.segment().asSlice(address - BASE, byteCount);
    }

    /** More memory, at a guest address above the rest. */
    void plug(long guestAddress, long byteCount) throws IOException {
        MemoryRegion more =
                MemoryRegion.map(Memfd.create("plugged", byteCount), 0, guestAddress, guestAddress, byteCount);
        MemoryTable next = table.plus(more);
        device.memory(next);
        table.release();
        table = next;
        plugged.add(more);
    }

    void unplug() throws IOException {
        MemoryRegion gone = plugged.removeLast();
        MemoryTable next = table.minus(gone);
        device.memory(next);
        table.release();
        table = next;
        gone.release();
    }

    void publish(int i) {
        if (queues[i].publish()) {
            kicks[i].signal();
        }
    }

    /** Waits for the device's signal, as a guest does, and takes the answer. */
    void await(int i) throws IOException {
        long end = System.nanoTime() + PATIENCE_NANOS;
        try {
            while (!queues[i].poll()) {
                if (System.nanoTime() > end) {
                    throw new IOException("queue %d: no answer".formatted(i));
                }
                calls[i].drain();
                LockSupport.parkNanos(20_000);
            }
        } catch (DeviceFaultException e) {
            throw new IOException(e);
        }
    }

    /** Whether the device signalled since the last look. */
    boolean signalled(int i) {
        return calls[i].drain();
    }

    /** One request of a disk; answers its status. */
    int disk(int queue, int type, long sector, long dataAddress, int byteCount) throws IOException {
        long request = scratch();
        MemorySegment header = at(request, DATA);
        header.fill((byte) 0xff);
        header.set(ValueLayout.JAVA_INT, HEADER + BlkRequest.TYPE_OFFSET, type);
        header.set(ValueLayout.JAVA_INT, HEADER + 4, 0);
        header.set(ValueLayout.JAVA_LONG, HEADER + BlkRequest.SECTOR_OFFSET, sector);
        boolean out = type == BlkRequest.OUT;
        if (!queues[queue].add(
                new long[] {request + HEADER, dataAddress, request + STATUS},
                new int[] {BlkRequest.HEADER_BYTES, byteCount, 1},
                out ? 2 : 1,
                out ? 1 : 2,
                sector)) {
            throw new IOException("the ring is full");
        }
        publish(queue);
        await(queue);
        return header.get(ValueLayout.JAVA_BYTE, STATUS);
    }

    @Override
    public void close() {
        for (int i = 0; i < queues.length; i++) {
            if (kicks[i] != null) {
                kicks[i].close();
                calls[i].close();
            }
        }
        table.release();
        region.release();
        plugged.forEach(MemoryRegion::release);
    }
}
