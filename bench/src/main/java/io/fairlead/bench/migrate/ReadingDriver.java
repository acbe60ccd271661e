package io.fairlead.bench.migrate;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * A driver in this process that reads 4 KiB blocks at random from a disk by the device contract, with its rings and
 * buffers in memory of its own, and polls for the answers. The buffers go round over many pages, as a guest's do. One
 * thread.
 */
final class ReadingDriver implements AutoCloseable {
    /** The first guest address of the memory. */
    static final long BASE = 0x4000_0000L;

    /** Of all memory: rings, headers and buffers. */
    static final long MEMORY_BYTES = 32L << 20;

    private static final int QUEUE_SIZE = 128;
    private static final int RING_BYTES = 1 << 20;
    private static final int BLOCK_BYTES = 4096;
    private static final int SECTOR_SHIFT = 9;
    private static final int BLOCK_SHIFT = 12;
    private static final int HEADER_BYTES = 64;
    private static final int HEADER_READ_BYTES = 16;
    private static final int BUFFERS = (int) ((MEMORY_BYTES - 2L * RING_BYTES) / BLOCK_BYTES);
    private static final int LOOK_AT_CLOCK_EVERY = 256;

    private final VdpaDevice device;
    private final int depth;
    private final long blocks;
    private final Fd fd;
    private final MemoryRegion region;
    private final MemoryTable table;
    private final MemorySegment memory;
    private final DriverQueue queue;
    private final EventFd kick;
    private final EventFd call;
    private final long[] addresses = new long[3];
    private final int[] lengths = {HEADER_READ_BYTES, BLOCK_BYTES, 1};
    private final int[] freeSlots;
    private int freeCount;
    private int nextBuffer;
    private long randomState = 1;

    /**
     * Starts the device's first queue.
     *
     * @param device new, with one queue
     * @param depth requests in flight, at most 32
     * @param diskBytes of the disk
     */
    ReadingDriver(VdpaDevice device, int depth, long diskBytes) throws IOException {
        this.device = device;
        this.depth = depth;
        blocks = diskBytes >>> BLOCK_SHIFT;
        fd = Memfd.create("fairlead-bench", MEMORY_BYTES);
        region = MemoryRegion.map(fd.duplicate(), 0, BASE, BASE, MEMORY_BYTES);
        table = new MemoryTable(List.of(region));
        memory = region.segment();
        memory.fill((byte) 0);
        kick = EventFd.create("kick");
        call = EventFd.create("call");
        freeSlots = new int[depth];
        freeCount = depth;
        for (int i = 0; i < depth; i++) {
            freeSlots[i] = i;
        }
        long features = device.deviceFeatures() & ~Feature.RING_PACKED;
        DriverRings rings = DriverRings.lay(memory.asSlice(0, RING_BYTES), BASE, QUEUE_SIZE, features, 0);
        queue = DriverQueue.create(rings);
        queue.disableInterrupts();
        start(features, rings);
    }

    private void start(long features, DriverRings rings) throws IOException {
        device.memory(table);
        device.driverFeatures(features);
        int status = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;
        device.status(status);
        device.queueSize(0, QUEUE_SIZE);
        device.queueAddresses(0, rings.descriptorAddress(), rings.driverAddress(), rings.deviceAddress());
        device.queueKick(0, EventFd.adopt(kick.fd().duplicate()));
        device.queueCall(0, EventFd.adopt(call.fd().duplicate()));
        device.queueReady(0, true);
        device.status(status | DeviceStatus.DRIVER_OK);
    }

    /**
     * Reads for a while, and waits for all answers.
     *
     * @return answers a second
     */
    double run(long nanos) throws IOException {
        long startNanos = System.nanoTime();
        long answered = 0;
        long looks = 0;
        boolean over = false;
        try {
            while (!over || freeCount < depth) {
                if (!over && freeCount > 0) {
                    while (freeCount > 0) {
                        request(freeSlots[--freeCount]);
                    }
                    if (queue.publish()) {
                        kick.signal();
                    }
                }
                while (queue.poll()) {
                    answered++;
                    answer((int) queue.token());
                }
                if (++looks % LOOK_AT_CLOCK_EVERY == 0) {
                    over = System.nanoTime() - startNanos >= nanos;
                }
                Thread.onSpinWait();
            }
        } catch (DeviceFaultException e) {
            throw new IOException(e);
        }
        return answered * 1e9 / (System.nanoTime() - startNanos);
    }

    private void request(int slot) {
        long header = RING_BYTES + (long) slot * HEADER_BYTES;
        // Xorshift: a few cycles, no allocation.
        randomState ^= randomState << 13;
        randomState ^= randomState >>> 7;
        randomState ^= randomState << 17;
        memory.set(ValueLayout.JAVA_INT, header, BlkRequest.IN);
        memory.set(
                ValueLayout.JAVA_LONG,
                header + 8,
                Math.unsignedMultiplyHigh(randomState, blocks) << (BLOCK_SHIFT - SECTOR_SHIFT));
        memory.set(ValueLayout.JAVA_BYTE, header + HEADER_READ_BYTES, (byte) -1);
        addresses[0] = BASE + header;
        addresses[1] = BASE + 2L * RING_BYTES + (long) nextBuffer * BLOCK_BYTES;
        addresses[2] = BASE + header + HEADER_READ_BYTES;
        nextBuffer = nextBuffer + 1 == BUFFERS ? 0 : nextBuffer + 1;
        if (!queue.add(addresses, lengths, 1, 2, slot)) {
            throw new IllegalStateException("no room in a queue that is larger than its load");
        }
    }

    private void answer(int slot) throws IOException {
        byte status = memory.get(ValueLayout.JAVA_BYTE, RING_BYTES + (long) slot * HEADER_BYTES + HEADER_READ_BYTES);
        if (status != BlkRequest.STATUS_OK) {
            throw new IOException("a read failed with status " + status);
        }
        freeSlots[freeCount++] = slot;
    }

    /** Resets the device; it stays open. */
    @Override
    public void close() throws IOException {
        device.reset();
        kick.close();
        call.close();
        table.release();
        region.release();
        fd.close();
    }
}
