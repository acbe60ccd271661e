package io.fairlead.bench.driver;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A driver in this process that reads 4 KiB blocks at random from a device by its contract, with its rings and buffers in
 * memory of its own, and polls for the answers. The buffers go round over many pages, as a guest's do. One thread.
 */
public final class ReadingDriver implements AutoCloseable {
    /** The first guest address of the memory. */
    public static final long BASE = 0x4000_0000L;

    /** Of all memory: rings, headers and buffers. */
    public static final long MEMORY_BYTES = 32L << 20;

    private static final int QUEUE_SIZE = 128;
    private static final int RING_BYTES = 1 << 20;
    private static final int BLOCK_BYTES = Reads.BLOCK_BYTES;

    /** Of each slot: the header in its first half, the answer in the second. */
    private static final int SLOT_BYTES = 256;

    private static final int BUFFERS = (int) ((MEMORY_BYTES - 2L * RING_BYTES) / BLOCK_BYTES);
    private static final int LOOK_AT_CLOCK_EVERY = 256;

    private final VdpaDevice device;
    private final Reads reads;
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
    private final int[] lengths;
    private final int[] freeSlots;
    private int freeCount;
    private int nextBuffer;
    private long failed;
    private long randomState = 1;

    /** As {@link #ReadingDriver(VdpaDevice, Reads, int, long)}, from a disk. */
    public ReadingDriver(VdpaDevice device, int depth, long diskBytes) throws IOException {
        this(device, new BlkReads(), depth, diskBytes);
    }

    /**
     * Starts the queue that takes reads.
     *
     * @param device new
     * @param depth requests in flight, at most 32
     * @param diskBytes of the disk
     */
    public ReadingDriver(VdpaDevice device, Reads reads, int depth, long diskBytes) throws IOException {
        this.device = device;
        this.reads = reads;
        this.depth = depth;
        blocks = diskBytes / BLOCK_BYTES;
        lengths = reads.answersFirst()
                ? new int[] {reads.headerBytes(), reads.answerBytes(), BLOCK_BYTES}
                : new int[] {reads.headerBytes(), BLOCK_BYTES, reads.answerBytes()};
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
            reads.prepare(memory, headerAt(i));
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
        int index = reads.queue();
        device.queueSize(index, QUEUE_SIZE);
        device.queueAddresses(index, rings.descriptorAddress(), rings.driverAddress(), rings.deviceAddress());
        device.queueKick(index, EventFd.adopt(kick.fd().duplicate()));
        device.queueCall(index, EventFd.adopt(call.fd().duplicate()));
        device.queueReady(index, true);
        device.status(status | DeviceStatus.DRIVER_OK);
    }

    /**
     * Reads for a while, and waits for all answers.
     *
     * @return answers a second
     */
    public double run(long nanos) throws IOException {
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

    private static long headerAt(int slot) {
        return RING_BYTES + (long) slot * SLOT_BYTES;
    }

    private static long answerAt(int slot) {
        return headerAt(slot) + SLOT_BYTES / 2;
    }

    private void request(int slot) {
        long header = headerAt(slot);
        // Xorshift: a few cycles, no allocation.
        randomState ^= randomState << 13;
        randomState ^= randomState >>> 7;
        randomState ^= randomState << 17;
        reads.request(memory, header, answerAt(slot), Math.unsignedMultiplyHigh(randomState, blocks));
        boolean answersFirst = reads.answersFirst();
        addresses[0] = BASE + header;
        addresses[answersFirst ? 1 : 2] = BASE + answerAt(slot);
        addresses[answersFirst ? 2 : 1] = BASE + 2L * RING_BYTES + (long) nextBuffer * BLOCK_BYTES;
        nextBuffer = nextBuffer + 1 == BUFFERS ? 0 : nextBuffer + 1;
        if (!queue.add(addresses, lengths, 1, 2, slot)) {
            throw new IllegalStateException("no room in a queue that is larger than its load");
        }
    }

    private void answer(int slot) {
        // A host that is new says so once instead of reading.
        if (!reads.isGood(memory, answerAt(slot))) {
            failed++;
        }
        freeSlots[freeCount++] = slot;
    }

    /** Reads that were not answered with a block so far. */
    public long failed() {
        return failed;
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
